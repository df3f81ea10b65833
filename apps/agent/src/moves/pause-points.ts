/**
 * Points at which a move can be held, so that a test does its harm at exactly that moment. Off unless the
 * agent's environment names a folder in GODWIT_PAUSE_POINTS; neither the API nor the configuration knows them.
 *
 * A point is held by a file NAME.hold in that folder. A move that comes to it makes NAME.reached and stands
 * still until NAME.hold is gone; what happens meanwhile waits in its queue. The reducers know nothing of it.
 */
import { once } from "node:events";
import { watch } from "node:fs";
import { access } from "node:fs/promises";
import { join } from "node:path";
import type {
  DestinationEffect,
  DestinationEntry,
  DestinationInput,
  DestinationPhase,
  LeaseAnswer,
  SourceEffect,
  SourceEntry,
  SourceInput,
  SourcePhase,
  ToDestination,
  ToSource,
} from "@godwit/migration";
import { writeFileAtomic } from "@godwit/system";
import type { Role } from "./journal.ts";

/**
 * A moment of a half of a move: an entry of the journal that was written, an effect that is done next, an input (or
 * message, or answer of the lease service) that is taken next.
 */
type Moment<Entry extends string, Effect extends string, Input extends string> =
  `wrote ${Entry}` | `does ${Effect}` | `takes ${Input}`;

/** The words are those of the handoff's tables; the phase is that which the half is in before the input is taken. */
type PausePoint =
  | {
      role: "source";
      phases: readonly SourcePhase[];
      moments: readonly Moment<
        SourceEntry["at"],
        SourceEffect["do"],
        SourceInput["type"] | ToSource["type"] | LeaseAnswer["kind"]
      >[];
    }
  | {
      role: "destination";
      phases: readonly DestinationPhase[];
      moments: readonly Moment<
        DestinationEntry["at"],
        DestinationEffect["do"],
        DestinationInput["type"] | ToDestination["type"] | LeaseAnswer["kind"]
      >[];
    };

/** Each phase of a move as one moment in it, in the order in which a move comes to them. */
export const pausePoints = {
  /** The move is written down; nothing else is done. */
  validated: { role: "source", phases: ["sharingLease"], moments: ["wrote started"] },
  /** The destination is ready; no memory flows yet. */
  prepared: { role: "source", phases: ["preparing"], moments: ["takes prepared"] },
  copying: { role: "source", phases: ["copying"], moments: ["takes sample"] },
  /** It is decided to stop the guest: by the agent or, in a copy of a single pass, by QEMU at its end. */
  converging: {
    role: "source",
    phases: ["pausing", "copying"],
    moments: ["does pauseVcpus", "takes paused"],
  },
  /** The guest stands still; the last veto is not given away yet. */
  stopped: { role: "source", phases: ["pausing", "copying"], moments: ["takes preSwitchover"] },
  /** QEMU has sent everything; the commit is not sent. */
  "final-state-sent": { role: "source", phases: ["switching"], moments: ["takes completed"] },
  /** The commit was sent and heard; the guest does not run yet. */
  committed: { role: "destination", phases: ["starting"], moments: ["does resumeVcpus"] },
  /** The guest runs at the destination; nobody was told. */
  running: { role: "destination", phases: ["starting"], moments: ["takes resumed"] },
  /** The source is about to remove its copy. */
  cleaning: { role: "source", phases: ["cleaningUp"], moments: ["does remove"] },
  /** The destination alone has the lease; it does not know yet. */
  "lease-converted": { role: "destination", phases: ["running"], moments: ["takes granted"] },
} as const satisfies Record<string, PausePoint>;
export type PausePointName = keyof typeof pausePoints;

export class PausePoints {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** @param folder from the environment; null without one: nothing is ever held, and nothing is looked for */
  static in(folder: string | undefined): PausePoints | null {
    return folder === undefined || folder === "" ? null : new PausePoints(folder);
  }

  /** Returns at once, unless this is a point that is held: then when it is let go. */
  async pass(role: Role, phase: string, moment: string): Promise<void> {
    const name = pointAt(role, phase, moment);
    if (name === null) return;
    const hold = join(this.#folder, `${name}.hold`);
    if (!(await exists(hold))) return;
    await writeFileAtomic(join(this.#folder, `${name}.reached`), "");
    await gone(this.#folder, hold);
  }
}

function pointAt(role: Role, phase: string, moment: string): PausePointName | null {
  const found = Object.entries<PausePoint>(pausePoints).find(
    ([, { role: whose, phases, moments }]) =>
      whose === role &&
      (phases as readonly string[]).includes(phase) &&
      (moments as readonly string[]).includes(moment),
  );
  return (found?.[0] as PausePointName | undefined) ?? null;
}

async function gone(folder: string, path: string): Promise<void> {
  const watcher = watch(folder);
  try {
    for (;;) {
      const changed = once(watcher, "change");
      if (!(await exists(path))) return;
      await changed;
    }
  } finally {
    watcher.close();
  }
}

const exists = async (path: string): Promise<boolean> =>
  await access(path).then(
    () => true,
    () => false,
  );
