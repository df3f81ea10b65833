/**
 * A VM's memory balloon (virtio-balloon): memory that its guest gives back to the host while it runs, down to a target, and takes again. The guest
 * may take it again at any moment, so that a host counts all of the VM's memory all the same.
 */
import { z } from "zod";
import type { HugepageSize } from "./guest-memory.ts";
import type { HostDeviceDescription } from "./host-device.ts";

export const leastTargetMib = 64;

export const balloonSchema = z.strictObject({
  /** What its guest is to have; it gives the rest back. Absent: all of the VM's memory. */
  targetMib: z
    .int()
    .min(leastTargetMib, `must be at least ${String(leastTargetMib)} MiB`)
    .max(4_194_304)
    .optional(),
});
export type Balloon = z.infer<typeof balloonSchema>;

interface Ballooned {
  memoryMib: number;
  balloon?: Balloon | undefined;
  hugepages?: HugepageSize | undefined;
  hostDevices?: readonly HostDeviceDescription[] | undefined;
}

/** What its guest is to have. Null: the VM has no balloon. */
export const targetMibOf = ({
  balloon,
  memoryMib,
}: Pick<Ballooned, "balloon" | "memoryMib">): number | null =>
  balloon === undefined ? null : (balloon.targetMib ?? memoryMib);

/** What of it does not fit the VM: the field, and a sentence's end. */
export function balloonProblems({ memoryMib, balloon, hugepages, hostDevices = [] }: Ballooned) {
  const targetMib = balloon?.targetMib;
  if (targetMib === undefined) return [];
  const path = ["balloon", "targetMib"];
  return [
    ...(targetMib > memoryMib
      ? [{ path, message: `is ${String(targetMib)} MiB, and the VM has ${String(memoryMib)} MiB of memory` }]
      : []),
    ...(hugepages === undefined ? [] : [{ path, message: "huge pages are not given back to the host" }]),
    ...(hostDevices.some((one) => "pci" in one)
      ? [{ path, message: "memory is not given back while a PCI device of the host may write to it" }]
      : []),
  ];
}
