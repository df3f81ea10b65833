/**
 * The source's half of the handoff as data: what it knows, what it receives, what it has done, and how long it waits.
 * Its phases are in `phases.ts`; `source.ts` decides.
 */
import type { MoveDecision, MoveLimits, MoveOrder, PauseReason, Problem } from "@godwit/contract";
import type { QemuSettings } from "../copy-decision.ts";
import type { CopySample, CopyState } from "../copy.ts";
import type { LeaseAnswer } from "./lease-answer.ts";
import type { ToDestination, ToSource } from "./messages.ts";
import type { SourcePhase } from "./phases.ts";

export type SourceOutcome =
  | { kind: "moved" }
  /** The VM runs here; `problem` says why it did not move (MOVE_CANCELLED where the user wished so). */
  | { kind: "stayed"; problem: Problem }
  /** The VM runs nowhere: its process died. */
  | { kind: "lost"; problem: Problem };

export interface SourceState {
  readonly phase: SourcePhase;
  /** As it is carried out: with limits that were changed since, and without the last resort where that is left out. */
  readonly order: MoveOrder;
  /** The source's, like `7.2.22`. */
  readonly qemuVersion: string;
  readonly peerUp: boolean;
  /** Whether this QEMU process still exists. */
  readonly qemuAlive: boolean;
  /** Whether the guest is known to run here. */
  readonly guestRuns: boolean;
  /**
   * Why the guest stands still on its own account, and not for the move: it is not let run by the move, at either end;
   * null: it runs, or is to.
   */
  readonly pauseReason: PauseReason | null;
  /** Of such a guest, in a move that is undone: this QEMU has its disks again, and it stands here as it did. */
  readonly standsHere: boolean;
  /** A switch was backed out, and the guest is being let run again: until that is done the copy cannot be finished. */
  readonly resuming: boolean;
  /** When the vCPUs were told to stop for the switch under way. */
  readonly pausedAtMs: number | null;
  /** The last pass of the copy that had begun when the vCPUs stopped. */
  readonly passAtStop: number;
  readonly copy: CopyState | null;
  /** The guest was stopped before all its memory was sent, and not all is sent yet: neither copy is complete. */
  readonly memorySplit: boolean;
  /** Post-copy: QEMU has lost its stream and waits for a new one. */
  readonly streamBroken: boolean;
  /** Why the VM stays, once that is so. */
  readonly problem: Problem | null;
  /** The destination has said that it gave up, or surely has nothing to run. */
  readonly destinationGaveUp: boolean;
  /**
   * No commit may be said or said again, only `sourceQemuLost`: nobody saw whether QEMU, before it ended, had let the
   * guest run on by itself after the last state was sent.
   */
  readonly commitForbidden: boolean;
  /** Where the destination's QEMU waits for the memory while the disks are copied; null at all other times. */
  readonly incoming: { address: string; port: number } | null;
  /**
   * The images here stay, for the VM can be started from them: of a move that carries its disks, and whose destination was
   * declared to be off.
   */
  readonly keepsDisks: boolean;
  /** The images here are removed: those at the destination are the VM's. */
  readonly disksRemoved: boolean;
  readonly outcome: SourceOutcome | null;
}

export type SourceTimer = "prepare" | "peer" | "budget" | "switch" | "commit" | "retry" | "undo";

/** What the journal keeps; the rest is asked of QEMU and of the destination after a restart. */
export type SourceEntry =
  /** `pauseReason`: of a guest that stands still on its own account; absent: it runs. */
  | { at: "started"; order: MoveOrder; pauseReason?: PauseReason }
  /** The guest was stopped by something else than the move since; null: it runs again. It changes no phase. */
  | { at: "guestPaused"; pauseReason: PauseReason | null }
  /** `withoutPostcopy`: the last resort is left out of the order, as the destination has asked. */
  | { at: "copying"; withoutPostcopy?: true }
  /** Post-copy has started: the guest may run at the destination without all its memory. */
  | { at: "postcopy" }
  /** `died`: the guest went over and its process died there. `keepsDisks`: as in the state. */
  | { at: "cleaningUp"; died: Problem | null; keepsDisks?: true }
  | { at: "undoing"; problem: Problem }
  | { at: "ended"; outcome: SourceOutcome };

/** What cannot be written keeps what follows from being done; `journalFailed` tells. */
export const vitalSourceEntries: readonly SourceEntry["at"][] = ["started", "copying", "postcopy"];

export type SourceInput =
  | { type: "start" }
  | { type: "leaseAnswered"; answer: LeaseAnswer }
  | { type: "message"; message: ToSource; atMs: number }
  | { type: "peerUp" }
  | { type: "peerDown" }
  | { type: "sample"; sample: CopySample; peerFresh: boolean }
  /** `pass`: the last pass of the copy that had begun by then. */
  | { type: "paused"; atMs: number; pass: number }
  /** Something else than the move has stopped the guest: an I/O error, a panic, the guest's own shutdown. */
  | { type: "guestPaused"; pauseReason: PauseReason }
  /** QEMU waits for permission to send the final state; the guest stands still. */
  | { type: "preSwitchover"; atMs: number }
  /** All disks are mirrored: what the guest writes from now on goes to both images. */
  | { type: "disksReady"; atMs: number }
  /** The mirrors have ended well: the images at the destination have all that was written, and are flushed. */
  | { type: "disksEnded"; atMs: number }
  /** A mirror could not begin, go on or end. */
  | { type: "disksFailed"; problem: Problem }
  /** The VM's files here are gone, its description first. */
  | { type: "disksRemoved" }
  | { type: "completed" }
  /** Post-copy: QEMU has sent what the guest needs to run, and sends what is left. Also over a new stream. */
  | { type: "postcopyActive" }
  /** Post-copy: the stream is broken. */
  | { type: "streamBroken" }
  /** QEMU cannot end this copy any more, so that its guest can never run here again. */
  | { type: "copyStuck"; reason: string }
  /** QEMU's migration ended without completing: cancelled or failed. */
  /** `problem`: where more is known of why it ended than QEMU's words. */
  | { type: "copyEnded"; reason: string; problem?: Problem }
  | { type: "resumed" }
  | { type: "resumeFailed"; reason: string }
  | { type: "disksActive" }
  /** @param heardAll its last words are among the inputs before; otherwise it may have done what it did not say */
  | { type: "qemuGone"; reason: string; heardAll: boolean }
  | { type: "removed" }
  | { type: "released" }
  /** Other limits of the copy and the pause: somebody asked for them, or the move's share of a link has changed. */
  | { type: "limits"; limits: MoveLimits; because: "asked" | "shared" }
  /** @param problem why; absent: somebody asked for it */
  | { type: "cancel"; problem?: Problem }
  | { type: "timer"; timer: SourceTimer; atMs: number }
  | { type: "journalFailed"; problem: Problem };

export type SourceEffect =
  | { do: "journal"; entry: SourceEntry }
  /** Questions for the lease, answered by `leaseAnswered`: from exclusive to shared, and back. */
  | { do: "shareLease" }
  | { do: "exclusiveLease" }
  /** Gives back what may be left of a share that was taken away, and asks for the exclusive lease again. */
  | { do: "reacquireLease" }
  | { do: "send"; message: ToDestination }
  /** Mirrors the disks; answered by `disksReady` or `disksFailed`. */
  | { do: "copyDisks"; address: string; port: number }
  /** Of a guest that stands still; answered by `disksEnded` or `disksFailed`. */
  | { do: "endDisks" }
  /** The VM is the destination's: removes its files here, repeated until it is done; answered by `disksRemoved`. */
  | { do: "removeDisks" }
  | { do: "startCopy"; address: string; port: number }
  /** The copy goes on with other parameters; that it does not take them changes nothing. */
  | { do: "tune"; parameters: QemuSettings["parameters"] }
  | { do: "pauseVcpus" }
  /** In the middle of the copy; QEMU waits in `pre-switchover` as ever, and then says `postcopyActive`. */
  | { do: "startPostcopy" }
  | { do: "continueSwitchover" }
  /** Breaks a stream of which nothing is heard; answered by `streamBroken`. */
  | { do: "breakStream" }
  /** Answered by `postcopyActive` or `streamBroken`. */
  | { do: "resumeStream"; address: string; port: number }
  /** Mirrors of disks end first. Answered by `copyEnded`, by `copyStuck` or, when the copy won the race, by `completed`. */
  | { do: "cancelCopy" }
  /** Lets the guest run, whatever stopped it; answered by `resumed` or `resumeFailed`. */
  | { do: "resumeVcpus" }
  /** Of a guest that stands still and is not let run: QEMU takes its disks; answered by `disksActive` or `resumeFailed`. */
  | { do: "activateDisks" }
  /** Ends QEMU, then removes the taps; answered by `removed`. */
  | { do: "remove" }
  /** Repeated until it is done; answered by `released`. */
  | { do: "releaseLease" }
  | { do: "arm"; timer: SourceTimer; afterMs: number }
  | { do: "disarm"; timer: SourceTimer }
  | { do: "note"; decision: MoveDecision }
  /** How it ended, for users. */
  | { do: "finish"; outcome: SourceOutcome }
  /** Nothing more needs to be said: the connection is closed and the journal removed. */
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
  /** Nothing sent of a post-copy for this long: its stream is made again. */
  streamMs: 10_000,
  /** Between two attempts to make a post-copy's stream again. */
  recoverMs: 1_000,
  /** Between two reminders of the commit, and attempts for the exclusive lease. */
  commitRepeatMs: 1_000,
  retryMs: 500,
  /** How long an undone move waits to see the destination's copy gone; the lease keeps it harmless after that. */
  undoMs: 10_000,
  /** Kept of the budget for commit and start at the destination. */
  reserveMs: 6,
} as const;

/** @param pauseReason why its guest stands still; null: it runs */
export function initialSource(
  order: MoveOrder,
  qemuVersion: string,
  pauseReason: PauseReason | null = null,
): SourceState {
  return {
    phase: "sharingLease",
    order,
    qemuVersion,
    peerUp: false,
    qemuAlive: true,
    guestRuns: pauseReason === null,
    pauseReason,
    standsHere: false,
    resuming: false,
    pausedAtMs: null,
    passAtStop: 0,
    copy: null,
    memorySplit: false,
    streamBroken: false,
    problem: null,
    destinationGaveUp: false,
    commitForbidden: false,
    incoming: null,
    keepsDisks: false,
    disksRemoved: false,
    outcome: null,
  };
}

/** What QEMU tells an agent that is started again during a move. */
export interface ObservedSource {
  qemuVersion: string;
  qemuAlive: boolean;
  guestRuns: boolean;
  /** As far as QEMU can still tell it: in the last step of a copy all guests stand still. */
  pauseReason: PauseReason | null;
  /** QEMU has sent everything and the destination has acknowledged it. */
  copyCompleted: boolean;
  /** QEMU says that its copy failed or was cancelled, or is being cancelled. */
  copyFailed: boolean;
  /** A post-copy's stream: null when QEMU is in none. */
  postcopy: "active" | "broken" | null;
}

/** Until the guest's final state is on its way a move can be cancelled. */
export const isCancellable = (state: SourceState): boolean =>
  state.phase === "sharingLease" ||
  state.phase === "preparing" ||
  state.phase === "copyingDisks" ||
  state.phase === "copying" ||
  state.phase === "pausing" ||
  state.phase === "endingDisks";
