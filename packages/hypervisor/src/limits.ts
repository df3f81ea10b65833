/**
 * What a VM's processes (QEMU and, on shared storage, the holder of its lease) may use at most: bounds against a QEMU that
 * was taken over or leaks, not an account of what it needs. They are so wide that no move and no load of the guest comes
 * near them. Pure.
 */
import type { UnitLimits } from "@godwit/system";
import type { LaunchSpec } from "./launch-spec.ts";

const mib = 1024 * 1024;

/**
 * The guest's memory, and beside it:
 * - a sixteenth of it. What grows with it is at most 1 % of it: the page tables of QEMU and of the guest (1/512 each), KVM's
 *   reverse map (1/512), bitmaps of changed pages (1/32768 each);
 * - 64 MiB a disk: its cache of qcow2 tables (32 MiB) and requests under way; 16 MiB a vCPU: KVM's and QEMU's state;
 * - 1 GiB for code, device models and the buffers of a migration and its TLS; without KVM another 1 GiB for translated code,
 *   which is as large as QEMU lets it become.
 *
 * KubeVirt reckons 30 MiB, 8 MiB a vCPU and 1/512 for the same (`GetMemoryOverhead`). libvirt's documentation of `hard_limit`
 * warns of any limit that is near to what QEMU needs, which nobody can know: hence the distance.
 */
export function vmLimits({
  vm,
  accelerator,
}: Pick<LaunchSpec, "vm" | "accelerator">): Omit<UnitLimits, "cpus"> {
  const guestMib = vm.memoryMib;
  const translatedCodeMib = accelerator === "tcg" ? 1024 : 0;
  const besideMib =
    Math.ceil(guestMib / 16) + 64 * vm.disks.length + 16 * vm.vcpus + 1024 + translatedCodeMib;
  return {
    memoryMaxBytes: (guestMib + besideMib) * mib,
    // Threads: vCPUs, up to 64 for disks, a few for a migration. It may start no process at all.
    tasksMax: 512 + 2 * vm.vcpus,
  };
}
