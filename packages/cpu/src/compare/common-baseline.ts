/** The EVC mode, or else the common set, that would make one pool of CPUs: its VMs may then move among all of them. */
import { commonMode, commonSetBeyond } from "../evc/baseline.ts";
import { microcodeSet } from "../evc/microcode.ts";
import { cpuString, qemuCpu } from "../evc/qemu-cpu.ts";
import type { Cpu } from "../cpuid/cpu.ts";

export interface CommonBaseline {
  /** null: there is no mode in common, and this is a set of Godwit's own. */
  readonly evcMode: string | null;
  readonly commonSet: string | null;
  readonly label: string;
  /** For QEMU's `-cpu`, with the microcode bits that all have. */
  readonly qemuCpu: string;
}

/** null: there is none. */
export function commonBaseline(cpus: readonly Cpu[]): CommonBaseline | null {
  const mode = commonMode(cpus);
  const best = mode ?? commonSetBeyond(cpus, null);
  if (best === null) return null;
  return {
    evcMode: mode?.key ?? null,
    commonSet: mode === null ? best.key : null,
    label: best.label,
    qemuCpu: cpuString(qemuCpu(best, microcodeSet(cpus))),
  };
}
