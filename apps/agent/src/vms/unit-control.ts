/** What the kernel has set for the unit that a VM's QEMU runs in. */
import { readFileSync } from "node:fs";
import { unitOfVm } from "@godwit/system";

export interface UnitControl {
  unit: string;
  /** What the file says; null: there is none, since the controller is on only where some unit uses it, or the kernel has no such control. */
  text: string | null;
}

/** @param file of the control group: `cpu.max`. @throws Error when the process is in no unit of the VM's */
export function readUnitControl(pid: number, vmId: string, file: string): UnitControl {
  const { unit, group } = unitOfVm(readFileSync(`/proc/${String(pid)}/cgroup`, "utf8"), vmId);
  try {
    return { unit, text: readFileSync(`/sys/fs/cgroup${group}/${file}`, "utf8") };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { unit, text: null };
    throw error;
  }
}
