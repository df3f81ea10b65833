/** The EVC mode that would make one pool of CPUs: its VMs may then move among all of them. */
import { microcodeSet } from "../evc/microcode.ts";
import { satisfiedModes } from "../evc/modes.ts";
import { cpuString, qemuCpu } from "../evc/qemu-cpu.ts";
import type { Cpu } from "../report/cpu.ts";

export interface CommonBaseline {
  readonly evcMode: string;
  readonly label: string;
  /** For QEMU's `-cpu`, with the microcode bits that all have. */
  readonly qemuCpu: string;
}

/** The mode with most features of those that all satisfy; null: there is none. */
export function commonBaseline(cpus: readonly Cpu[]): CommonBaseline | null {
  const [first = [], ...rest] = cpus.map(satisfiedModes);
  const common = first.filter((mode) => rest.every((modes) => modes.includes(mode)));
  const [best] = common.toSorted((one, other) => other.features.length - one.features.length);
  if (best === undefined) return null;
  return { evcMode: best.key, label: best.label, qemuCpu: cpuString(qemuCpu(best, microcodeSet(cpus))) };
}
