/** A plausible mistake in the reducers, and where to look for what it breaks. */
import type { EventKind } from "./layout.ts";
import type { ConfigurationName } from "./names.ts";
import type { Protocol } from "./protocol.ts";

export interface Mutant {
  name: string;
  protocol: Protocol;
  /** The only kinds of faults that happen in the hunt for it, where all would take long. */
  faults?: readonly EventKind[];
  /** How many of them at most; two where no number is named. */
  mostFaults?: number;
  /** The kind of move that shows it; `kvm` where none is named. */
  configuration?: ConfigurationName;
}
