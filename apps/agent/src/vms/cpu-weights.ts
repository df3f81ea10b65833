/**
 * The weights of VMs' units where they want more CPUs than the host has. What a unit has is read from its control group each time: nothing is
 * remembered, and a VM that was started again, or whose weight was changed by hand, gets it with the next order.
 */
import { readFileSync } from "node:fs";
import type { VmId } from "@godwit/contract";
import { weighUnit } from "@godwit/system";
import { vmUnit } from "@godwit/hypervisor";
import { reasonOf } from "../reason.ts";
import type { Processes } from "../qemu/processes.ts";

const usualWeight = 100;

/** What the host does with a unit. */
export interface UnitWeights {
  /** Of the unit that a process is in; null: it has none of its own, which counts as the usual one. @throws Error when it is in another unit */
  of: (pid: number, unit: string) => number | null;
  set: (unit: string, weight: number) => Promise<void>;
}

export class CpuWeights {
  readonly #processes: Pick<Processes, "runtimes">;
  readonly #units: UnitWeights;
  /** Orders are carried out one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(processes: Pick<Processes, "runtimes">, units: UnitWeights = ownUnits) {
    this.#processes = processes;
    this.#units = units;
  }

  async put(vms: readonly { id: VmId; weight: number }[]): Promise<{ id: VmId; reason: string }[]> {
    const done = this.#last.then(() => this.#apply(new Map(vms.map(({ id, weight }) => [id, weight]))));
    this.#last = done.catch(() => undefined);
    return await done;
  }

  async #apply(weights: ReadonlyMap<VmId, number>): Promise<{ id: VmId; reason: string }[]> {
    const failed: { id: VmId; reason: string }[] = [];
    for (const { id, pid } of this.#processes.runtimes) {
      if (pid === null) continue;
      const wanted = weights.get(id) ?? usualWeight;
      const unit = vmUnit(id);
      try {
        if (differs(this.#units.of(pid, unit) ?? usualWeight, wanted)) await this.#units.set(unit, wanted);
      } catch (error) {
        failed.push({ id, reason: reasonOf(error) });
      }
    }
    return failed;
  }
}

/** What VMs want changes all the time: a little is not worth a change. That none is weighted any more holds exactly. */
const differs = (has: number, wanted: number): boolean =>
  wanted === usualWeight ? has !== wanted : Math.abs(has - wanted) > wanted * 0.1;

const ownUnits: UnitWeights = {
  of: (pid, unit) => {
    const group = groupOf(readFileSync(`/proc/${String(pid)}/cgroup`, "utf8"), unit);
    try {
      return Number(readFileSync(`/sys/fs/cgroup${group}/cpu.weight`, "utf8"));
    } catch (error) {
      // The controller is on only where some unit has a weight.
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
  },
  set: weighUnit,
};

/** @throws Error when the process is not in the unit */
export function groupOf(text: string, unit: string): string {
  const group = /^0::(\/.*)$/m.exec(text)?.[1];
  if (group?.endsWith(`/${unit}`) !== true)
    throw new Error(`its QEMU does not run in ${unit}: it was started by an earlier version, or by hand`);
  return group;
}
