/** The order in which the firmware, BIOS or UEFI, tries a VM's devices. QEMU is told to try no others (`-boot strict=on`). Pure. */
import type { Vm } from "@godwit/contract";

type Booted = Pick<Vm, "disks"> & Partial<Pick<Vm, "cdroms" | "boot" | "bootOrder">>;

/** @param device as in a boot order: `disk:root`. @returns QEMU's option of it; empty: it is not booted from */
export function bootIndex(vm: Booted, device: string): { bootindex?: number } {
  if (vm.boot !== undefined) return {};
  const at = vm.bootOrder === undefined ? defaultIndex(vm, device) : vm.bootOrder.indexOf(device);
  return at < 0 ? {} : { bootindex: at };
}

/** The first disk, and then CD-ROM drives, also of a VM without a disk. */
function defaultIndex({ disks: [first], cdroms = [] }: Booted, device: string): number {
  if (first !== undefined && device === `disk:${first.name}`) return 0;
  const at = cdroms.findIndex(({ name }) => device === `cdrom:${name}`);
  return at < 0 ? -1 : at + 1;
}
