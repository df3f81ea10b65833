/** The memory that the unit of a running VM may use (`memory.max`), where it gets more memory. */
import type { Vm } from "@godwit/contract";
import { vmLimits, type QemuProcess } from "@godwit/hypervisor";
import { limitUnitMemory, until } from "@godwit/system";
import { readUnitControl } from "./unit-control.ts";

/** What the host does with a unit. */
export interface UnitMemory {
  /** `maxBytes` null: no bound. @throws Error when its QEMU is in no unit of the VM's */
  of: (pid: number, vm: Vm) => { unit: string; maxBytes: number | null };
  set: (unit: string, maxBytes: number) => Promise<void>;
  /** systemd writes to the control group a moment after it has answered. */
  appliedWithinMs: number;
}

/**
 * A limit is only raised: one that is too high does no harm where the VM does not get the memory. A QEMU in no unit of this agent's has none of its limits.
 * @param vm with the memory that it gets @throws Error when the kernel keeps a lower limit
 */
export async function raiseMemoryLimit(
  { identity: { pid }, spec }: Pick<QemuProcess, "identity" | "spec">,
  vm: Vm,
  units: UnitMemory = ownUnits,
): Promise<void> {
  const unit = found(units, pid, vm);
  const { memoryMaxBytes } = vmLimits({ vm, accelerator: spec.accelerator });
  const isEnough = (maxBytes: number | null) => maxBytes === null || maxBytes >= memoryMaxBytes;
  if (unit === null || isEnough(unit.maxBytes)) return;
  await units.set(unit.unit, memoryMaxBytes);
  const isApplied = () => {
    const now = found(units, pid, vm);
    return now === null || isEnough(now.maxBytes);
  };
  if (!(await until(isApplied, { everyMs: 50, limitMs: units.appliedWithinMs })))
    throw new Error(`the limit of unit ${unit.unit} could not be raised (memory.max)`);
}

function found(units: UnitMemory, pid: number, vm: Vm): ReturnType<UnitMemory["of"]> | null {
  try {
    return units.of(pid, vm);
  } catch {
    return null; // it is in no unit of this agent's, or has ended
  }
}

const ownUnits: UnitMemory = {
  of: (pid, { id }) => {
    const { unit, text } = readUnitControl(pid, id, "memory.max");
    return { unit, maxBytes: text === null || text.trim() === "max" ? null : Number(text) };
  },
  set: limitUnitMemory,
  appliedWithinMs: 2000,
};
