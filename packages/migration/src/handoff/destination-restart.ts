/** Where the destination stands after a restart of its agent: QEMU itself tells whether the guest was let run. */
import type { PauseReason } from "@godwit/contract";
import {
  destinationLimits,
  initialDestination,
  type DestinationEffect,
  type DestinationEntry,
  type DestinationState,
  type DestinationStep,
  type ObservedDestination,
} from "./destination-state.ts";
import { preparedBefore } from "./destination-prepared.ts";
import {
  died,
  giveBackWith,
  giveUp,
  giveUpWith,
  loaded,
  movesDisks,
  resumed,
  splitsMemory,
  to,
} from "./destination-transitions.ts";

export function restoreDestination(
  entries: readonly DestinationEntry[],
  observed: ObservedDestination,
): DestinationStep {
  const first = entries[0];
  const last = entries.at(-1);
  if (first?.at !== "started" || last === undefined) {
    throw new TypeError("a destination journal begins with started");
  }
  const state: DestinationState = {
    ...initialDestination(first.order),
    ...preparedBefore(first.order, entries, observed.listening),
    phase: "restarted",
    peerUp: false,
    memoryComplete: observed.memoryComplete,
    streamBroken: observed.streamBroken,
    pauseReason: observed.guestRuns ? null : pauseReasonIn(entries),
  };
  if (last.at === "ended") {
    const problem = last.outcome.kind === "runs" ? null : last.outcome.problem;
    return to({ ...state, outcome: last.outcome, problem }, "ended", [
      { do: "finish", outcome: last.outcome },
    ]);
  }
  if (last.at === "givingUp") {
    const isNeeded = splitsMemory(state) && observed.qemuAlive && !observed.failed;
    if (isNeeded && !observed.streamBroken)
      return giveBackWith({ ...state, wasPrepared: true }, last.problem);
    return giveUpWith(state, last.problem);
  }
  if (last.at === "started") {
    if (observed.qemuAlive && observed.guestRuns) return resumed(state, 0, null);
    return giveUp(state, "the destination agent was restarted while preparing");
  }
  const tookOver = entries.some(({ at }) => at === "takingOver");
  const prepared: DestinationState = { ...state, wasPrepared: true, tookOver };
  const ranBefore = last.at === "running" || last.at === "postcopyReceiving" || last.at === "arrived";
  if (observed.qemuAlive && (observed.guestRuns || ranBefore)) return resumed(prepared, 0, null);
  // It would have been written down before the guest ran on images of this host alone.
  if (!observed.qemuAlive && movesDisks(prepared) && !tookOver)
    return giveUp(prepared, "its QEMU was gone when the agent came back");
  // Nobody can tell whether a commit had arrived: the source knows whether it had sent one.
  if (!observed.qemuAlive) return died(prepared, "it was gone when the agent came back");
  if (observed.failed) return giveUp(prepared, "QEMU could not load the VM's state");
  const waiting: DestinationEffect[] = [{ do: "arm", timer: "peer", afterMs: destinationLimits.peerLossMs }];
  if (observed.loaded) return loaded(prepared, waiting);
  return to(prepared, "receiving", waiting);
}

/** Why a guest that has arrived was not let run. */
function pauseReasonIn(entries: readonly DestinationEntry[]): PauseReason | null {
  const arrived = entries.findLast((entry) => entry.at === "arrived");
  return arrived?.pauseReason ?? null;
}
