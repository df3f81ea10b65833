/**
 * What became of a half's question for the VM's lease, as facts. What follows from them, the reducers decide; agents
 * and explorer only say what they were told.
 */
import type { LeaseMode, Problem } from "@godwit/contract";

export type LeaseAnswer =
  /** This host has the lease in the mode that it asked for. `fenced`: hosts that were fenced while they shared it. */
  | { kind: "granted"; mode: LeaseMode; fenced: readonly string[] }
  /** Others hold it. `fresh`: their host responded lately; false also where nobody knows. */
  | { kind: "heldBy"; holders: readonly { host: string; fresh: boolean }[]; problem: Problem }
  /** This host's share was taken away (its storage was lost, an operator broke it), so there is nothing to convert. */
  | { kind: "notHeld"; problem: Problem }
  /** It could not be asked, or did not answer in time: nobody knows. */
  | { kind: "unknown"; problem: Problem };
