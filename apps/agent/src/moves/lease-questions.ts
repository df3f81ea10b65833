/** Asks for a VM's lease in the course of a move, and tells the answer as the facts that the reducers decide on. */
import { GodwitError, type Lease, type Problem } from "@godwit/contract";
import type { LeaseAnswer } from "@godwit/migration";
import type { Leases, VmRef } from "../leases/leases.ts";

export type LeaseQuestion = "share" | "exclusive" | "reacquire";

/** @param host this one */
export async function askLease(
  leases: Leases,
  host: string,
  vm: VmRef,
  question: LeaseQuestion,
): Promise<LeaseAnswer> {
  const mode = question === "share" ? "SH" : "EX";
  const answer = await (question === "reacquire" ? leases.reacquire(vm) : leases.convert(vm, mode));
  if (answer.kind === "granted") return { kind: "granted", mode, fenced: answer.lease.fenced };
  const { code, problem } = answer.error;
  if (code === "LEASE_NOT_HELD") return { kind: "notHeld", problem };
  if (code !== "LEASE_HELD") return { kind: "unknown", problem };
  // Who holds it now, and who of them responded lately: the refusal itself may be older.
  const lease = await leases.show(vm).catch(() => null);
  const holders = lease === null ? holdersOf(problem) : lease.holders;
  return { kind: "heldBy", holders: holders.filter((holder) => holder.host !== host), problem };
}

export const unknownAnswer = (problem: Problem): LeaseAnswer => ({ kind: "unknown", problem });

/** Those that the refusal names; nobody knows whether they are alive. */
function holdersOf(problem: Problem): Pick<Lease["holders"][number], "host" | "fresh">[] {
  const { holders } = GodwitError.fromProblem(problem).problem.details as { holders: { host: string }[] };
  return holders.map(({ host }) => ({ host, fresh: false }));
}
