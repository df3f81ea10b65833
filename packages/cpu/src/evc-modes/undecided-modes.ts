/** The EVC modes that a CPU may satisfy: it is not known to lack any of their features, nor to have all. */
import type { EvcMode } from "./mode.ts";
import { evcModes, evcVendorOf } from "./modes.ts";
import { has, type Cpu } from "../cpuid/cpu.ts";

/** In the table's order. */
export function undecidedModes(cpu: Cpu): EvcMode[] {
  const vendor = evcVendorOf(cpu);
  return evcModes.filter(({ vendor: its, features }) => {
    const answers = its === vendor ? features.map((name) => has(cpu, name)) : [false];
    return !answers.includes(false) && answers.includes(null);
  });
}
