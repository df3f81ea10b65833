/**
 * The CPUs that VMs get at most on this host (`cpu.max` of their units), by the server's last order. The order names every VM that has a limit and
 * may come here, and is kept on disk: a VM that is started, or comes by a move, has its limit before its QEMU begins. What a unit has is read from its
 * control group, also after it was set: where the kernel does not limit, the answer has the reason.
 */
import { cpuLimitsSchema, type CpuLimit, type VmId } from "@godwit/contract";
import {
  cpusOfMax,
  limitableCpus,
  limitUnitCpus,
  readFileOrNull,
  until,
  writeFileAtomic,
} from "@godwit/system";
import type { Logger } from "pino";
import { z } from "zod";
import { reasonOf } from "../reason.ts";
import type { Processes } from "../qemu/processes.ts";
import { readUnitControl } from "./unit-control.ts";

const fileSchema = z.object({ version: z.literal(1), vms: cpuLimitsSchema });
/** systemd writes to the control group a moment after it has answered. */
const appliedWithinMs = 2000;

/** What the host does with a unit. */
export interface UnitCpuLimits {
  /** The unit of a VM that its QEMU is in; `cpus` null: no bound. @throws Error when it is in another unit */
  of: (pid: number, vm: VmId) => { unit: string; cpus: number | null };
  set: (unit: string, cpus: number | null) => Promise<void>;
}

export class CpuLimits {
  readonly #file: string;
  readonly #units: UnitCpuLimits;
  #limits: ReadonlyMap<VmId, number>;
  #isKept = true;
  /** Orders are carried out one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(file: string, limits: readonly CpuLimit[], units: UnitCpuLimits) {
    this.#file = file;
    this.#limits = byId(limits);
    this.#units = units;
  }

  /** As they were ordered last. A file that cannot be read says nothing: the server sends all limits again. */
  static async read(file: string, log: Logger, units: UnitCpuLimits = ownUnits): Promise<CpuLimits> {
    try {
      const text = await readFileOrNull(file);
      if (text === null) return new CpuLimits(file, [], units);
      const { success, data, error } = fileSchema.safeParse(JSON.parse(text));
      if (!success) throw error;
      return new CpuLimits(file, data.vms, units);
    } catch (error) {
      log.error({ err: error }, "which CPU limits VMs have cannot be read; the server sends them again");
      return new CpuLimits(file, [], units);
    }
  }

  /** What a VM is started with; null: no bound. */
  of(vm: VmId): number | null {
    return this.#limits.get(vm) ?? null;
  }

  /**
   * Of VMs that run here, at once; of all others when they come. A limit that cannot be kept on disk counts all the same until the agent ends.
   * @returns those that run here and could not be limited
   * @throws Error when the order cannot be kept
   */
  async put(
    limits: readonly CpuLimit[],
    processes: Pick<Processes, "runtimes">,
  ): Promise<{ id: VmId; reason: string }[]> {
    const done = this.#last.then(() => this.#take(limits, processes));
    this.#last = done.catch(() => undefined);
    return await done;
  }

  async #take(
    limits: readonly CpuLimit[],
    processes: Pick<Processes, "runtimes">,
  ): Promise<{ id: VmId; reason: string }[]> {
    const wanted = byId(limits);
    const isNew = !isSame(wanted, this.#limits);
    this.#limits = wanted;
    if (isNew) this.#isKept = false;
    const failed = await this.#apply(processes.runtimes);
    if (!this.#isKept) await writeFileAtomic(this.#file, JSON.stringify({ version: 1, vms: limits }));
    this.#isKept = true;
    return failed;
  }

  /** All at first, then what the kernel has of them: a host with many VMs is not waited for one by one. */
  async #apply(runtimes: Processes["runtimes"]): Promise<{ id: VmId; reason: string }[]> {
    const failed: { id: VmId; reason: string }[] = [];
    const set: { id: VmId; isApplied: () => boolean }[] = [];
    for (const { id, pid } of runtimes) {
      if (pid === null) continue;
      const wanted = this.of(id);
      const isApplied = () => isAs(this.#units.of(pid, id).cpus, wanted);
      // In a unit that this agent does not know it has no limit of this agent's.
      if (wanted === null && withoutError(isApplied)) continue;
      try {
        if (isApplied()) continue;
        await this.#units.set(this.#units.of(pid, id).unit, wanted);
        set.push({ id, isApplied });
      } catch (error) {
        failed.push({ id, reason: reasonOf(error) });
      }
    }
    const left = () => set.filter(({ isApplied }) => !withoutError(isApplied));
    await until(() => left().length === 0, { everyMs: 50, limitMs: appliedWithinMs });
    const reason = "the kernel does not have the limit that was set (cpu.max)";
    return [...failed, ...left().map(({ id }) => ({ id, reason }))];
  }
}

const byId = (limits: readonly CpuLimit[]): ReadonlyMap<VmId, number> =>
  new Map(limits.map(({ id, cpus }) => [id, cpus]));

const isSame = (one: ReadonlyMap<VmId, number>, other: ReadonlyMap<VmId, number>): boolean =>
  one.size === other.size && [...one].every(([id, cpus]) => other.get(id) === cpus);

/** The kernel counts in microseconds of a period. */
const isAs = (has: number | null, wanted: number | null): boolean =>
  has === null || wanted === null ? has === wanted : Math.abs(has - limitableCpus(wanted)) < 0.005;

/** What cannot be read has nothing to limit: its process has ended. */
function withoutError(isApplied: () => boolean): boolean {
  try {
    return isApplied();
  } catch {
    return true;
  }
}

const ownUnits: UnitCpuLimits = {
  of: (pid, vm) => {
    const { unit, text } = readUnitControl(pid, vm, "cpu.max");
    return { unit, cpus: text === null ? null : cpusOfMax(text) };
  },
  set: limitUnitCpus,
};
