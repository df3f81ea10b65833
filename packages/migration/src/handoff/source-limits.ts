/**
 * Limits of a move that are changed while it goes on: how much of the link it may use, and how long its guest may stand still.
 * Nothing of the handoff depends on them: they change the pace of the copy, and which forecast of a pause fits.
 */
import type { MoveLimits } from "@godwit/contract";
import { bandwidthParameters } from "../strategies/strategy.ts";
import type { SourceEffect, SourceState, SourceStep } from "./source-state.ts";
import { stay } from "./source-transitions.ts";

/** Why the move takes no other limits any more, the end of a sentence; null: it does. */
export function limitsRefusal({ phase }: SourceState, { maxOutageMs }: MoveLimits): string | null {
  switch (phase) {
    case "sharingLease":
    case "preparing":
    case "copyingDisks":
    case "copying":
      return null;
    case "postcopySending":
      return maxOutageMs === undefined
        ? null
        : "its VM runs at the destination already, so that no pause is left to limit";
    case "pausing":
    case "endingDisks":
    case "switching":
      return "its VM is just being switched over; if that is backed out it can be changed again";
    case "undoing":
      return "it is being undone";
    case "restarted":
      return "the agent of its source was restarted, and finds out how far it had come";
    case "committed":
    case "cleaningUp":
      return "its VM runs at the destination already";
    case "ended":
      return "it has ended";
  }
}

/** The same limits again change nothing, and neither do those that come too late. */
export function onLimits(state: SourceState, limits: MoveLimits, because: "asked" | "shared"): SourceStep {
  if (limitsRefusal(state, limits) !== null) return stay(state);
  const { order } = state;
  const { bandwidthBytesPerSecond = order.bandwidthBytesPerSecond, maxOutageMs = order.maxOutageMs } = limits;
  const changes = {
    ...(bandwidthBytesPerSecond === order.bandwidthBytesPerSecond ? {} : { bandwidthBytesPerSecond }),
    ...(maxOutageMs === order.maxOutageMs ? {} : { maxOutageMs }),
  };
  if (Object.keys(changes).length === 0) return stay(state);
  const copyRuns = state.phase === "copying" || state.phase === "postcopySending";
  const effects: SourceEffect[] = [
    ...(copyRuns && changes.bandwidthBytesPerSecond !== undefined
      ? [{ do: "tune", parameters: bandwidthParameters(bandwidthBytesPerSecond) } as const]
      : []),
    { do: "note", decision: { kind: "limits", ...changes, because } },
  ];
  const copy = state.copy === null ? null : { ...state.copy, maxOutageMs };
  return stay({ ...state, copy, order: { ...order, ...changes } }, effects);
}
