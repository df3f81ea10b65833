/**
 * The source's half of the handoff as data: its phases, what it knows, what it hears, what it has done, and
 * how long it waits. `source.ts` beside this decides.
 */
import type { MoveOrder, Problem } from "@godwit/contract";
import type { CopySample, CopyState } from "../copy.ts";
import type { ToDestination, ToSource } from "./messages.ts";

/** The source is in exactly one phase. */
export const sourceTransitions = {
  /** The lease goes from EX to SH; the guest runs. */
  sharing: ["preparing", "undoing", "ended"],
  /** The destination makes an incoming QEMU, taps and a shared lease; the guest runs. */
  preparing: ["copying", "undoing", "ended"],
  /** Memory flows; the guest runs. */
  copying: ["pausing", "switching", "undoing", "ended", "committed"],
  /** The guest stands still while the last memory flows; it may be resumed at any moment. */
  pausing: ["copying", "switching", "undoing", "committed"],
  /** QEMU sends the final state; nothing is promised to the destination yet. */
  switching: ["committed", "undoing"],
  /** The destination may run. From here only its giving up, or the exclusive lease, gives the VM back. */
  committed: ["serving", "leaving", "undoing", "ended"],
  /** Post-copy: the guest runs at the destination, which still takes memory from here. Only forward. */
  serving: ["leaving"],
  /** The destination runs: this copy is removed. */
  leaving: ["ended"],
  /** The VM stays here: the copy is cancelled, the guest runs, the destination is told. */
  undoing: ["committed", "ended"], // on after all, when a post-copy can no longer be taken back
  ended: [],
} as const;
export type SourcePhase = keyof typeof sourceTransitions;

export type SourceOutcome =
  | { kind: "moved" }
  /** The VM runs here; `problem` says why it did not move (MOVE_CANCELLED where the user wished so). */
  | { kind: "stayed"; problem: Problem }
  /** The VM runs nowhere: its process died. */
  | { kind: "lost"; problem: Problem };

export interface SourceState {
  readonly phase: SourcePhase;
  readonly order: MoveOrder;
  /** The source's, like `7.2.22`. */
  readonly qemuVersion: string;
  readonly peerUp: boolean;
  /** Whether this QEMU process still exists. */
  readonly qemuAlive: boolean;
  /** Whether the guest is known to run here. */
  readonly guestRuns: boolean;
  /** A switch was backed out, and the guest is being let run again: until that is done the copy cannot be finished. */
  readonly resuming: boolean;
  /** When the vCPUs were told to stop for the switch under way. */
  readonly pausedAtMs: number | null;
  /** The last pass of the copy that had begun when the vCPUs stopped. */
  readonly passAtStop: number;
  readonly copy: CopyState | null;
  /** Post-copy was begun, and not everything is sent yet: the destination's copy is nothing without this one. */
  readonly partial: boolean;
  /** Post-copy: QEMU has lost its stream and waits for a new one. */
  readonly streamBroken: boolean;
  /** Why the VM stays, once that is so. */
  readonly problem: Problem | null;
  /** The destination has said that it gave up. */
  readonly destinationGone: boolean;
  /**
   * No commit may be said or said again, only `gone`: nobody saw whether QEMU, before it ended, had let the
   * guest run on by itself after the last state was sent.
   */
  readonly barred: boolean;
  readonly outcome: SourceOutcome | null;
}

export type SourceTimer = "prepare" | "peer" | "budget" | "switch" | "commit" | "retry" | "undo";

/** What the journal keeps; the rest is asked of QEMU and of the destination after a restart. */
export type SourceEntry =
  | { at: "started"; order: MoveOrder }
  | { at: "copying" }
  /** Post-copy is begun: the guest may run at the destination without all its memory. */
  | { at: "postcopy" }
  /** `died`: the guest went over and its process died there. */
  | { at: "leaving"; died: Problem | null }
  | { at: "undoing"; problem: Problem }
  | { at: "ended"; outcome: SourceOutcome };

/** What cannot be written keeps what follows from being done; `journalFailed` tells. */
export const vitalSourceEntries: readonly SourceEntry["at"][] = ["started", "copying", "postcopy"];

export type SourceInput =
  | { type: "start" }
  | { type: "leaseShared" }
  /** `fenced`: the destination had not given its share back, its host was fenced. */
  | { type: "leaseExclusive"; fenced: boolean }
  /** `held` means that another host holds the lease; else it could not be asked. */
  | { type: "leaseRefused"; held: boolean; problem: Problem }
  | { type: "message"; message: ToSource; atMs: number }
  | { type: "peerUp" }
  | { type: "peerDown" }
  | { type: "sample"; sample: CopySample; peerFresh: boolean }
  /** `pass`: the last pass of the copy that had begun by then. */
  | { type: "paused"; atMs: number; pass: number }
  /** QEMU waits for leave to send the final state; the guest stands still. */
  | { type: "preSwitchover"; atMs: number }
  | { type: "completed" }
  /** Post-copy: QEMU has sent what the guest needs to run, and sends what is left. Also after a new stream was made. */
  | { type: "postcopyActive" }
  /** Post-copy: the stream is broken. */
  | { type: "streamBroken" }
  /** QEMU cannot end this copy any more, so that its guest can never run here again. */
  | { type: "copyStuck"; reason: string }
  /** QEMU's migration ended without completing: cancelled or failed. */
  | { type: "copyEnded"; reason: string }
  | { type: "resumed" }
  | { type: "resumeFailed"; reason: string }
  | { type: "qemuGone"; reason: string }
  | { type: "removed" }
  | { type: "released" }
  | { type: "cancel" }
  | { type: "timer"; timer: SourceTimer; atMs: number }
  | { type: "journalFailed"; problem: Problem };

export type SourceEffect =
  | { do: "journal"; entry: SourceEntry }
  | { do: "shareLease" }
  | { do: "exclusiveLease" }
  | { do: "send"; message: ToDestination }
  | { do: "startCopy"; address: string; port: number }
  | { do: "pauseVcpus" }
  /** In the middle of the copy; QEMU waits in `preSwitchover` as ever, and then says `postcopyActive`. */
  | { do: "startPostcopy" }
  | { do: "continueSwitchover" }
  /** Breaks a stream of which nothing is heard; answered by `streamBroken`. */
  | { do: "breakStream" }
  /** Answered by `postcopyActive` or `streamBroken`. */
  | { do: "resumeStream"; address: string; port: number }
  /** Answered by `copyEnded`, by `copyStuck` or, when the copy won the race, by `completed`. */
  | { do: "cancelCopy" }
  /** Lets the guest run, whatever stopped it; answered by `resumed` or `resumeFailed`. */
  | { do: "resumeVcpus" }
  /** Ends QEMU, then removes the taps; answered by `removed`. */
  | { do: "remove" }
  /** Repeated until it is done; answered by `released`. */
  | { do: "releaseLease" }
  | { do: "arm"; timer: SourceTimer; afterMs: number }
  | { do: "disarm"; timer: SourceTimer }
  | { do: "note"; text: string }
  /** How it ended, for users. */
  | { do: "finish"; outcome: SourceOutcome }
  /** Nothing more needs to be said: the line is closed and the journal removed. */
  | { do: "close" };

export interface SourceStep {
  readonly state: SourceState;
  readonly effects: readonly SourceEffect[];
}

export const sourceLimits = {
  prepareMs: 30_000,
  /** Without the destination for this long before the switch: the VM stays. */
  peerLossMs: 5_000,
  /** For QEMU to send the final state once it was told to. */
  switchMs: 5_000,
  /** Nothing sent of a post-copy for this long: its stream is made anew. */
  streamMs: 10_000,
  /** Between two attempts to mend a post-copy's stream. */
  recoverMs: 1_000,
  /** Between two reminders of the commit, and attempts for the exclusive lease. */
  commitRepeatMs: 1_000,
  retryMs: 500,
  /** How long an undone move waits to see the destination's copy gone; the lease keeps it harmless after that. */
  undoMs: 10_000,
  /** Kept of the budget for commit and start at the destination. */
  reserveMs: 6,
} as const;

export function initialSource(order: MoveOrder, qemuVersion: string): SourceState {
  return {
    phase: "sharing",
    order,
    qemuVersion,
    peerUp: false,
    qemuAlive: true,
    guestRuns: true,
    resuming: false,
    pausedAtMs: null,
    passAtStop: 0,
    copy: null,
    partial: false,
    streamBroken: false,
    problem: null,
    destinationGone: false,
    barred: false,
    outcome: null,
  };
}

/** What QEMU tells an agent that starts anew in the middle of a move. */
export interface ObservedSource {
  qemuVersion: string;
  qemuAlive: boolean;
  guestRuns: boolean;
  /** QEMU has sent everything and the destination has acknowledged it. */
  copyCompleted: boolean;
  /** QEMU says that its copy failed or was cancelled, or is being cancelled. */
  copyFailed: boolean;
  /** A post-copy's stream: null when QEMU is in none. */
  postcopy: "active" | "broken" | null;
}

/** Until the guest's final state is on its way a move can be taken back at the user's wish. */
export const isCancellable = (state: SourceState): boolean =>
  state.phase === "sharing" ||
  state.phase === "preparing" ||
  state.phase === "copying" ||
  state.phase === "pausing";
