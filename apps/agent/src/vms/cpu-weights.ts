/**
 * The weights of VMs' units where they want more CPUs than the host has. What a unit has is read from its control group each time: nothing is
 * remembered, and a VM that was started again, or whose weight was changed by hand, gets it with the next order.
 */
import type { VmId } from "@godwit/contract";
import { weighUnit } from "@godwit/system";
import { reasonOf } from "../reason.ts";
import type { Processes } from "../qemu/processes.ts";
import { readUnitControl } from "./unit-control.ts";

const usualWeight = 100;

/** What the host does with a unit. */
export interface UnitWeights {
  /** The unit of a VM that its QEMU is in; `weight` null: it has none of its own, which counts as the usual one. @throws Error when it is in another unit */
  of: (pid: number, vm: VmId) => { unit: string; weight: number | null };
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
      try {
        const { unit, weight } = this.#units.of(pid, id);
        if (differs(weight ?? usualWeight, wanted)) await this.#units.set(unit, wanted);
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
  of: (pid, vm) => {
    const { unit, text } = readUnitControl(pid, vm, "cpu.weight");
    return { unit, weight: text === null ? null : Number(text) };
  },
  set: weighUnit,
};
