/**
 * The phases of the two halves of a move: one table each, from which everything else that speaks of phases is derived.
 * The reducers can make no transition that is not listed (`enter`), the explorer fails on one and on listed ones that
 * never happen, and the phases that users see (`shownAs`) are the move's record, the task's steps and its events.
 * QEMU's own words are read in one place only, the agent's copy of a move.
 */
import type { MovePhase } from "@godwit/contract";

/**
 * Who may let the VM's vCPUs run in this phase, as far as this half of the move decides it. The explorer fails on a
 * guest that runs on a host whose half is in a phase that says `there` or `nobody`, unless that half was restarted and
 * cannot know whether it had committed (`commitForbidden`).
 */
type MayRun =
  | "here"
  /** The guest is to stand still; this half alone may let it go on, and its QEMU does so when the copy fails. */
  | "here, but it stands still"
  | "there"
  /** Here only with proof that the other half has nothing to run any more. */
  | "there, until it gives the VM back"
  | "nobody here"
  /** The move has nothing to say about it any more. */
  | "who has the lease";

interface Phase<Name extends string> {
  /** What holds whenever the phase is entered. */
  entered: string;
  mayRun: MayRun;
  /** The phase that users see; null: by how the move ends, see `record.ts`. */
  shownAs: MovePhase | null;
  /** The ways out. */
  next: readonly Name[];
}

type SourceName =
  | "sharingLease"
  | "preparing"
  | "copyingDisks"
  | "copying"
  | "pausing"
  | "endingDisks"
  | "switching"
  | "committed"
  | "postcopySending"
  | "cleaningUp"
  | "undoing"
  | "ended"
  | "restarted";

/** The source is in exactly one phase. */
export const sourcePhases = {
  sharingLease: {
    entered: "The move is accepted; the VM runs under the exclusive lease, which is to be shared.",
    mayRun: "here",
    shownAs: "preparing",
    next: ["preparing", "undoing", "ended"],
  },
  preparing: {
    entered: "The lease is shared. The destination makes taps and an incoming QEMU, and shares the lease.",
    mayRun: "here",
    shownAs: "preparing",
    next: ["copyingDisks", "copying", "undoing"],
  },
  copyingDisks: {
    entered:
      "The destination is prepared, and shares no storage: the disks are mirrored there while the guest runs. Memory follows.",
    mayRun: "here",
    shownAs: "copying",
    next: ["copying", "undoing"],
  },
  copying: {
    entered:
      "The destination is prepared. Memory flows; the guest runs, or is about to again after a back-out.",
    mayRun: "here",
    shownAs: "copying",
    next: ["pausing", "endingDisks", "switching", "undoing", "committed"],
  },
  pausing: {
    entered: "The strategy decided to switch: QEMU stops the guest, and the last memory flows.",
    mayRun: "here, but it stands still",
    shownAs: "switching",
    next: ["copying", "endingDisks", "switching", "undoing", "committed"],
  },
  endingDisks: {
    entered:
      "QEMU waits in pre-switchover. The mirrors of the disks are brought to their end: from then on the images at the destination change no more.",
    mayRun: "here, but it stands still",
    shownAs: "switching",
    next: ["switching", "undoing", "committed"],
  },
  switching: {
    entered:
      "QEMU waits in pre-switchover and was told to go on: it sends the final state. Nothing is promised yet.",
    mayRun: "here, but it stands still",
    shownAs: "switching",
    next: ["committed", "undoing"],
  },
  committed: {
    entered: "Everything that the guest needs has arrived, or this QEMU is gone: the destination may run.",
    mayRun: "there, until it gives the VM back",
    shownAs: "committed",
    next: ["postcopySending", "cleaningUp", "undoing", "ended"],
  },
  postcopySending: {
    entered: "The guest runs at the destination, which still takes memory from here. Only forward.",
    mayRun: "there",
    shownAs: "postcopy",
    next: ["cleaningUp"],
  },
  cleaningUp: {
    entered: "The destination runs with all its memory, or ran: this copy is out of date, and is removed.",
    mayRun: "there",
    shownAs: "committed",
    next: ["ended"],
  },
  undoing: {
    entered: "The VM stays: the copy is cancelled, the guest goes on here, the destination is notified.",
    mayRun: "here",
    shownAs: null,
    next: ["committed", "ended"],
  },
  ended: {
    entered: "How the move ended is written down.",
    mayRun: "who has the lease",
    shownAs: null,
    next: [],
  },
  restarted: {
    entered: "The agent was started again; the journal and QEMU tell where the move stands.",
    mayRun: "nobody here",
    shownAs: null,
    next: ["committed", "cleaningUp", "undoing", "ended"],
  },
} as const satisfies Record<SourceName, Phase<SourceName>>;
export type SourcePhase = keyof typeof sourcePhases;

type DestinationName =
  | "preparing"
  | "receiving"
  | "loaded"
  | "starting"
  | "postcopyReceiving"
  | "running"
  | "died"
  | "givingBack"
  | "givingUp"
  | "ended"
  | "restarted";

/** The destination is in exactly one phase. */
export const destinationPhases = {
  preparing: {
    entered: "The source asked for it: a shared lease, taps, and an incoming QEMU that may not run.",
    mayRun: "there",
    shownAs: "preparing",
    next: ["receiving", "givingUp"],
  },
  receiving: {
    entered: "QEMU listens, which is written down and said. Memory flows in.",
    mayRun: "there",
    shownAs: "copying",
    next: ["loaded", "starting", "givingBack", "givingUp"],
  },
  loaded: {
    entered: "QEMU can let the guest run. Permission to run is awaited.",
    mayRun: "there",
    shownAs: "copying",
    next: ["starting", "givingUp"],
  },
  starting: {
    entered: "The source has committed: the guest is let run.",
    mayRun: "here",
    shownAs: "committed",
    next: ["running", "postcopyReceiving", "died", "givingBack", "givingUp"],
  },
  postcopyReceiving: {
    entered: "The guest runs here, and takes what is missing of its memory from the source.",
    mayRun: "here",
    shownAs: "postcopy",
    next: ["running", "died"],
  },
  running: {
    entered:
      "The guest runs here with all its memory. The source's copy may still be there: the lease tells.",
    mayRun: "here",
    shownAs: "succeeded",
    next: ["died", "ended"],
  },
  died: {
    entered:
      "QEMU ended after the guest ran, or may have run: the lease is kept until the source's copy is gone too.",
    mayRun: "nobody here",
    shownAs: "failing",
    next: ["givingUp", "ended"],
  },
  givingBack: {
    entered:
      "It never runs here, but memory was split: the source can take it back only while the stream is whole, so QEMU waits for its end.",
    mayRun: "there",
    shownAs: "failing",
    next: ["givingUp"],
  },
  givingUp: {
    entered: "It never ran here and never will: QEMU is ended and everything removed.",
    mayRun: "there",
    shownAs: "failing",
    next: ["ended"],
  },
  ended: {
    entered: "How this half ended is written down.",
    mayRun: "who has the lease",
    shownAs: null,
    next: [],
  },
  restarted: {
    entered: "The agent was started again; the journal and QEMU tell where the move stands.",
    mayRun: "nobody here",
    shownAs: null,
    next: ["receiving", "loaded", "running", "postcopyReceiving", "died", "givingBack", "givingUp", "ended"],
  },
} as const satisfies Record<DestinationName, Phase<DestinationName>>;
export type DestinationPhase = keyof typeof destinationPhases;

/** A transition that the table does not list: a bug of a reducer. Whoever runs it must not do what it says. */
export class UnlistedTransition extends Error {
  override readonly name = "UnlistedTransition";
  constructor(half: string, from: string, to: string) {
    super(`the ${half} of a move cannot go from ${from} to ${to}`);
  }
}

/** The state in another phase, or in the same one. @throws UnlistedTransition */
export const enterSourcePhase = <S extends { readonly phase: SourcePhase }>(
  state: S,
  phase: SourcePhase,
): S => enter("source", sourcePhases, state, phase);

/** The state in another phase, or in the same one. @throws UnlistedTransition */
export const enterDestinationPhase = <S extends { readonly phase: DestinationPhase }>(
  state: S,
  phase: DestinationPhase,
): S => enter("destination", destinationPhases, state, phase);

function enter<Name extends string, S extends { readonly phase: Name }>(
  half: string,
  table: Record<Name, { next: readonly Name[] }>,
  state: S,
  phase: Name,
): S {
  if (phase !== state.phase && !table[state.phase].next.includes(phase))
    throw new UnlistedTransition(half, state.phase, phase);
  return { ...state, phase };
}
