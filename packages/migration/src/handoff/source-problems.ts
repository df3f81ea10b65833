/** Why a move failed at its source, as errors of the catalogue. */
import { GodwitError, type Problem } from "@godwit/contract";
import type { CopyDecision } from "../strategies/strategy.ts";
import { sourceLimits, type SourceState } from "./source-state.ts";

export const copyFailed = ({ order }: SourceState, reason: string): Problem =>
  problemOf("MOVE_COPY_FAILED", { vm: order.vm.name, reason });

export const switchLate = (state: SourceState): Problem =>
  copyFailed(state, "the final state was not taken in time");

export const copyUnsafe = ({ order, qemuVersion }: SourceState): Problem =>
  problemOf("MOVE_COPY_UNSAFE", {
    vm: order.vm.name,
    host: order.from,
    qemu: qemuVersion,
    maxOutageMs: order.maxOutageMs,
  });

export const notConverging = (
  { order }: SourceState,
  { bestMs, rounds, because }: Extract<CopyDecision, { kind: "notConverging" }>,
  backOuts: number,
): Problem =>
  problemOf("MOVE_NOT_CONVERGING", {
    vm: order.vm.name,
    maxOutageMs: order.maxOutageMs,
    bestMs: Number.isFinite(bestMs) ? bestMs : order.maxOutageMs,
    rounds,
    backOuts,
    ...(because === undefined ? {} : { because }),
  });

/** Since the move began. */
export const peerUnreached = ({ order }: SourceState): Problem =>
  problemOf("MOVE_PEER_UNREACHED", {
    ...{ vm: order.vm.name, from: order.from, host: order.to.host },
    ...{ url: order.to.agentUrl, forMs: sourceLimits.prepareMs },
  });

export const peerLost = ({ order }: SourceState): Problem =>
  problemOf("MOVE_PEER_LOST", { vm: order.vm.name, host: order.to.host, forMs: sourceLimits.peerLossMs });

/** At this moment; for how long is not known. */
export const peerAway = ({ order }: SourceState): Problem =>
  problemOf("MOVE_PEER_LOST", { vm: order.vm.name, host: order.to.host, forMs: null });

export const prepareLate = ({ order }: SourceState): Problem =>
  problemOf("MOVE_PREPARE_FAILED", {
    vm: order.vm.name,
    host: order.to.host,
    reason: `it was not ready within ${String(sourceLimits.prepareMs / 1000)} s`,
  });

export const destinationReturned = ({ order }: SourceState): Problem =>
  problemOf("MOVE_DESTINATION_FAILED", {
    vm: order.vm.name,
    host: order.to.host,
    reason: "it no longer holds the VM's lease",
  });

export const vmLost = ({ order }: SourceState, host: string, reason: string): Problem =>
  problemOf("MOVE_VM_LOST", { vm: order.vm.name, host, reason });

export const guestShutDown = ({ order }: SourceState): Problem =>
  problemOf("MOVE_GUEST_SHUT_DOWN", { vm: order.vm.name, host: order.from });

export function problemOf(...args: Parameters<typeof GodwitError.of>): Problem {
  return GodwitError.of(...args).problem;
}
