/**
 * The destination's half of the handoff as data: what it knows, what it receives, what it has done, and how long it
 * waits. Its phases are in `phases.ts`; `destination.ts` decides.
 */
import type { HostMoveCpu, MemoryWait, MoveOrder, PauseReason, Problem } from "@godwit/contract";
import type { LeaseAnswer } from "./lease-answer.ts";
import type { StartTimes, ToDestination, ToSource } from "./messages.ts";
import type { DestinationPhase } from "./phases.ts";

export type DestinationOutcome =
  { kind: "runs" } | { kind: "gaveUp"; problem: Problem } | { kind: "died"; problem: Problem };

export interface Listening {
  address: string;
  port: number;
  /** The number of the certificate that it shows there. */
  certificate?: number;
  /** For disks (NBD), of a move that carries them. */
  disksPort?: number;
  /** Why its QEMU cannot receive a post-copy, which it is not set for; absent: it is set for what the order asks. */
  postcopyLeftOut?: string;
}

export interface DestinationState {
  readonly phase: DestinationPhase;
  /** As it is carried out: without the last resort where that is left out. */
  readonly order: MoveOrder;
  readonly peerUp: boolean;
  /** Where its QEMU listens, once it does. */
  readonly listening: Listening | null;
  /** Permission to run arrived before the state was known to be complete. */
  readonly commitAtMs: number | null;
  /** Why the guest is not let run here, as the commit said: it stands still on its own account. Null: it is. */
  readonly pauseReason: PauseReason | null;
  readonly commitToResumeMs: number | null;
  readonly start: StartTimes | null;
  /** How long the guest waited for memory in a post-copy, once all of it is here; null: nobody counted. */
  readonly waited: MemoryWait | null;
  readonly resumeAttempts: number;
  readonly problem: Problem | null;
  /**
   * It is written down as prepared. After a restart its missing QEMU could then mean that it has run, so
   * giving up must be written down before it is done.
   */
  readonly wasPrepared: boolean;
  /**
   * Of a move that carries its disks: that the VM is taken over is written down, and its description is here. The images here
   * are the VM's from then on, unless it is given up.
   */
  readonly tookOver: boolean;
  /** All the memory is here; after a post-copy's switch it is not at first. */
  readonly memoryComplete: boolean;
  /** Post-copy: the stream is broken. */
  readonly streamBroken: boolean;
  /** That it gives the VM back, or that a guest that stands still is here, is not written down yet: nobody may hear of it. */
  readonly unwritten: boolean;
  /** Of a guest that died: its QEMU is surely gone. */
  readonly qemuEnded: boolean;
  /** QEMU and taps are gone. */
  readonly removed: boolean;
  readonly outcome: DestinationOutcome | null;
}

export type DestinationTimer = "peer" | "commit" | "retry";

export type DestinationEntry =
  | { at: "started"; order: MoveOrder }
  /** `postcopyLeftOut`: as in what it listens with. */
  | { at: "prepared"; postcopyLeftOut?: string }
  /** Before the guest can run, of a move that carries its disks: without it the guest surely never wrote to the images here. */
  | { at: "takingOver" }
  /** A guest that is not let run is this host's from now on: nothing else would tell that after a restart. */
  | { at: "arrived"; pauseReason: PauseReason }
  | { at: "postcopyReceiving" }
  | { at: "running" }
  | { at: "givingUp"; problem: Problem }
  | { at: "ended"; outcome: DestinationOutcome };

/** What cannot be written keeps what follows from being done; `journalFailed` tells. */
export const vitalDestinationEntries: readonly DestinationEntry["at"][] = [
  "started",
  "prepared",
  "takingOver",
  "arrived",
  "givingUp",
];

export type DestinationInput =
  | { type: "message"; message: ToDestination; atMs: number }
  | ({ type: "prepared" } & Listening)
  | { type: "prepareFailed"; problem: Problem }
  /** QEMU can let the guest run. `memoryComplete`: with all its memory. */
  | { type: "loaded"; memoryComplete: boolean }
  /** What was missing of the memory is here. `waited`: of a post-copy, where QEMU counted. */
  | { type: "memoryComplete"; waited: MemoryWait | null }
  /** Post-copy: the stream is broken, or works again. */
  | { type: "streamBroken" }
  | { type: "streamResumed" }
  /** QEMU listens again for the rest of a post-copy. */
  | { type: "recovering"; address: string; port: number }
  | { type: "loadFailed"; reason: string }
  /** The guest runs. `commitToResumeMs` is 0 where nobody measured it. */
  | { type: "resumed"; commitToResumeMs: number; start: StartTimes | null }
  /** Of a guest that is not let run: QEMU has its disks. */
  | { type: "disksActive" }
  | { type: "announced"; announceMs: number; cpu?: HostMoveCpu }
  /** QEMU itself refused: the guest surely did not run. An answer that was lost is never told as this. */
  | { type: "resumeFailed"; reason: string }
  | { type: "qemuGone"; reason: string }
  | { type: "removed" }
  /** What had arrived of the VM's disks is removed, and its folder. */
  | { type: "disksRemoved" }
  | { type: "released" }
  /** Another move of this VM begins here, or the VM is stopped: the lease is its business from now on. */
  | { type: "superseded" }
  | { type: "leaseAnswered"; answer: LeaseAnswer }
  | { type: "peerUp" }
  | { type: "peerDown" }
  | { type: "timer"; timer: DestinationTimer; atMs: number }
  | { type: "journalFailed"; problem: Problem };

export type DestinationEffect =
  | { do: "journal"; entry: DestinationEntry }
  /** Shared lease, taps, incoming QEMU; answered by `prepared` or `prepareFailed`. */
  | { do: "prepare" }
  | { do: "send"; message: ToSource }
  /** Lets the guest run; of a move that carries its disks, its description is put in its place before. Answered by `resumed` or `resumeFailed`. */
  | { do: "resumeVcpus" }
  /** Of a guest that is not let run: QEMU takes its disks; answered by `disksActive` or `resumeFailed`. */
  | { do: "activateDisks" }
  /** Announces the VM's addresses; answered by `announced`, for the record only. */
  | { do: "announce" }
  /** Ends a broken stream, and listens for a new one; answered by `recovering`, or by `loadFailed` where too little had arrived. */
  | { do: "recoverStream" }
  /** A question for the lease, answered by `leaseAnswered`: from shared to exclusive. */
  | { do: "exclusiveLease" }
  /** Ends QEMU, then removes the taps; answered by `removed`. */
  | { do: "remove" }
  /** The VM is the source's: removes its files here, repeated until it is done; answered by `disksRemoved`. */
  | { do: "removeDisks" }
  /** Repeated until it is done; answered by `released`. */
  | { do: "releaseLease" }
  | { do: "arm"; timer: DestinationTimer; afterMs: number }
  | { do: "disarm"; timer: DestinationTimer }
  | { do: "finish"; outcome: DestinationOutcome };

export interface DestinationStep {
  readonly state: DestinationState;
  readonly effects: readonly DestinationEffect[];
}

export const destinationLimits = {
  /** Without the source for this long before everything is here: give up. */
  peerLossMs: 8_000,
  /** Complete, but no commit: see from the lease whether the source still has the VM, and then give up. */
  commitMs: 3_000,
  retryMs: 1_000,
  /** Attempts to let the guest run before the VM is given back. */
  resumeAttempts: 3,
  resumeRetryMs: 20,
  /** Post-copy: how long the source has to take back a VM that is given back, before its stream breaks. */
  giveBackMs: 10_000,
} as const;

export function initialDestination(order: MoveOrder): DestinationState {
  return {
    phase: "preparing",
    order,
    peerUp: true,
    listening: null,
    commitAtMs: null,
    pauseReason: null,
    commitToResumeMs: null,
    start: null,
    waited: null,
    resumeAttempts: 0,
    problem: null,
    wasPrepared: false,
    tookOver: false,
    memoryComplete: false,
    streamBroken: false,
    unwritten: false,
    qemuEnded: false,
    removed: false,
    outcome: null,
  };
}

/** What QEMU tells an agent that is started again during a move. */
export interface ObservedDestination {
  qemuAlive: boolean;
  guestRuns: boolean;
  /** Enough has been loaded to let the guest run. */
  loaded: boolean;
  /** All of the memory has. */
  memoryComplete: boolean;
  /** A post-copy's stream is broken. */
  streamBroken: boolean;
  /** What arrived could not be loaded. */
  failed: boolean;
  listening: { address: string; port: number } | null;
}
