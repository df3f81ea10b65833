/** The EVC mode that would make one pool of CPUs: its VMs may then move among all of them. */
import { commonMode } from "../evc/baseline.ts";
import { microcodeSet } from "../evc/microcode.ts";
import { cpuString, qemuCpu } from "../evc/qemu-cpu.ts";
import type { Cpu } from "../cpuid/cpu.ts";

export interface CommonBaseline {
  readonly evcMode: string;
  readonly label: string;
  /** For QEMU's `-cpu`, with the microcode bits that all have. */
  readonly qemuCpu: string;
}

/** null: there is none. */
export function commonBaseline(cpus: readonly Cpu[]): CommonBaseline | null {
  const best = commonMode(cpus);
  if (best === null) return null;
  return { evcMode: best.key, label: best.label, qemuCpu: cpuString(qemuCpu(best, microcodeSet(cpus))) };
}
