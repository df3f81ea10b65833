/** The search by itself, for problems that are numbers already. */
export { anneal } from "./anneal.ts";
export { admitFailures } from "./admission.ts";
export { Chain } from "./deltas/chain.ts";
export { Exchange } from "./deltas/exchange.ts";
export { Shift } from "./deltas/shift.ts";
export { Swap } from "./deltas/swap.ts";
export { descend } from "./descend.ts";
export { FaultDomains } from "../rules/fault-domains.ts";
export { KeepApart } from "../rules/keep-apart.ts";
export { NeedsBeside } from "../rules/needs-beside.ts";
export { Imbalance } from "../terms/imbalance.ts";
export { Overload } from "../terms/overload.ts";
export type { GroupTerm, HostTerm, VmTerm } from "../terms/term.ts";
export type { Problem } from "./problem.ts";
export { Random } from "./random.ts";
export { State } from "./state.ts";
