/** The EVC modes that what is not known of a CPU leaves open: it lacks none of their features surely. */
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
