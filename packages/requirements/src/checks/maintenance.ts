/** The destination takes VMs: it is not in maintenance, nor on its way there. Known also of a host that does not answer. */
import { finding, type Finding } from "@godwit/contract";
import type { RelocationFacts } from "../facts.ts";

export const maintenance = ({ destination: { name, takesVms } }: RelocationFacts): Finding[] =>
  takesVms ? [] : [finding("DESTINATION_IN_MAINTENANCE", { host: name })];
