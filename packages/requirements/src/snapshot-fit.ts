/** Whether a VM can be reverted to a snapshot, as far as is known before it is tried. */
import { GodwitError, type Snapshot, type Vm } from "@godwit/contract";

/** That it is complete, and of the disks that the VM has; each may lie elsewhere now. @throws SNAPSHOT_UNFINISHED, SNAPSHOT_DISKS_DIFFER */
export function mustFit(vm: Vm, { name: snapshot, unfinished, vm: then }: Snapshot): void {
  if (unfinished !== undefined) throw GodwitError.of("SNAPSHOT_UNFINISHED", { vm: vm.name, snapshot });
  const named = (disks: Vm["disks"]) => new Set(disks.map(({ name, format }) => `${name} (${format})`));
  const [now, before] = [named(vm.disks), named(then.disks)];
  const added = [...now.difference(before)];
  const removed = [...before.difference(now)];
  if (added.length + removed.length > 0)
    throw GodwitError.of("SNAPSHOT_DISKS_DIFFER", { vm: vm.name, snapshot, added, removed });
}

export interface QemuThere {
  accelerator: "kvm" | "tcg";
  version: string;
  machines: readonly string[];
}

/** Why a QEMU cannot load the memory of a snapshot or a suspended VM, the end of a sentence; null: as far as is known, it can. */
export function memoryProblem(
  { memory, vm }: Pick<Snapshot, "memory"> & { vm: Pick<Vm, "machine"> },
  qemu: QemuThere,
): string | null {
  if (memory === null) return "it has none";
  if (memory.accelerator !== qemu.accelerator)
    return `it is of a guest under ${memory.accelerator}, and the host runs guests under ${qemu.accelerator}`;
  if (isOlder(qemu.version, memory.qemuVersion))
    return `it was written by QEMU ${memory.qemuVersion}, and the host has QEMU ${qemu.version}`;
  return qemu.machines.includes(vm.machine) ? null : `the host's QEMU has no machine type ${vm.machine}`;
}

/** By major and minor number: the one behind them changes no format. */
function isOlder(version: string, than: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [otherMajor = 0, otherMinor = 0] = than.split(".").map(Number);
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}
