/**
 * What a VM's firmware boots from, the first that can be booted. Devices are named by kind and name: `disk:root`, `cdrom:cd0`,
 * `nic:0`. Of a VM that says nothing it is the first disk, and then its CD-ROM drives. Pure.
 */
import { z } from "zod";
import { nicNumber } from "./device-place.ts";

export const bootOrderSchema = z
  .array(
    z
      .string()
      .regex(
        /^(?:(?:disk|cdrom):[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?|nic:(?:\d|[12]\d|3[01]))$/,
        "must be disk:NAME, cdrom:NAME or nic:NUMBER, like disk:root",
      ),
  )
  .min(1)
  .max(36);
type BootOrder = z.infer<typeof bootOrderSchema>;

interface Bootable {
  disks: readonly { name: string }[];
  cdroms?: readonly { name: string }[] | undefined;
  /** One that is described only has its position as its number. */
  nics: readonly { portGroup?: string; number?: number | undefined }[];
}

/** All that it could boot from. */
export const bootDevices = ({ disks, cdroms = [], nics }: Bootable): string[] => [
  ...disks.map(({ name }) => `disk:${name}`),
  ...cdroms.map(({ name }) => `cdrom:${name}`),
  ...nics.map((nic, position) => `nic:${String(nicNumber(nic, position))}`),
];

/** What of it does not fit the VM: the field, and a sentence's end. @param vm `boot` is a kernel that it is started with */
export function bootOrderProblems(
  vm: Bootable & { bootOrder?: BootOrder | undefined; boot?: unknown },
): { path: string[]; message: string }[] {
  const { bootOrder: order } = vm;
  if (order === undefined) return [];
  const problem = (message: string) => ({ path: ["bootOrder"], message });
  if (vm.boot !== undefined) return [problem("a VM that is started with a kernel boots from no device")];
  const known = bootDevices(vm);
  return order.flatMap((device, at) => [
    ...(known.includes(device)
      ? []
      : [problem(`the VM has no ${device}; it has ${known.length === 0 ? "none" : known.join(", ")}`)]),
    ...(order.indexOf(device) < at ? [problem(`${device} is named twice`)] : []),
  ]);
}

/** Without devices that the VM does not have any more; absent where none is left. */
export function keptBootOrder<V extends Bootable & { bootOrder?: BootOrder | undefined }>(vm: V): V {
  if (vm.bootOrder === undefined) return vm;
  const { bootOrder, ...rest } = vm;
  const known = bootDevices(vm);
  const kept = bootOrder.filter((device) => known.includes(device));
  return { ...rest, ...(kept.length === 0 ? {} : { bootOrder: kept }) } as V;
}
