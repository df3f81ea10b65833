/**
 * The phases in which faults come, told by QEMU's events and hit from outside. libvirt hears the same events at the
 * same time: so that a fault comes in the phase and not just after it, the daemons that would go on are held with
 * SIGSTOP for the moment between, and let go when the fault has been done.
 */
import type { ProcessIdentity } from "@godwit/system";
import { daemonOf, signal, type Role, type Scene } from "./scene.ts";
import type { Heard } from "./watch.ts";
import { sleep } from "@godwit/system";

export const phaseNames = ["copying", "switching", "completed", "running"] as const;
export type PhaseName = (typeof phaseNames)[number];

/** Processes that stand still until the fault is done. */
export type Held = ProcessIdentity[];

const limitMs = 30_000;

/** Null when the move did not come there. */
export const phases: Readonly<Record<PhaseName, (scene: Scene) => Promise<Held | null>>> = {
  /** A second into the first pass over memory. Nobody is held. */
  async copying(scene) {
    if ((await scene.watch.until(says(scene, "source", "MIGRATION:active"), limitMs)) === null) return null;
    await sleep(1000); // into the pass, which tells of its beginning only
    return [];
  },

  /**
   * The guest is stopped for the last pass, QEMU waits for permission to send it (`pre-switchover`). The source's daemon
   * is held from a second into the copy: QEMU comes there without it, and not further.
   */
  async switching(scene) {
    if ((await phases.copying(scene)) === null) return null;
    const held = await hold([daemonOf(scene, "source")]);
    return await reached(scene, held, says(scene, "source", "MIGRATION:pre-switchover"));
  },

  /**
   * The destination has loaded everything and the source's QEMU knows it: neither runs, and libvirt is to start the
   * destination. Both daemons are held once permission was given (`device`).
   */
  async completed(scene) {
    if ((await scene.watch.until(says(scene, "source", "MIGRATION:device"), limitMs)) === null) return null;
    const held = await hold([daemonOf(scene, "source"), daemonOf(scene, "destination")]);
    return await reached(scene, held, says(scene, "source", "MIGRATION:completed"));
  },

  /**
   * The guest has begun to run on the destination. Its daemon is held at this event, which it has heard too: it may
   * have told so already. The source's QEMU normally still waits for its end.
   */
  async running(scene) {
    if ((await scene.watch.until(says(scene, "destination", "RESUME"), limitMs)) === null) return null;
    return await hold([daemonOf(scene, "destination")]);
  },
};

const says =
  ({ hosts }: Scene, role: Role, what: string) =>
  (heard: Heard): boolean =>
    heard.host === hosts[role] && heard.what === what;

async function hold(daemons: readonly (ProcessIdentity | null)[]): Promise<Held> {
  const held = daemons.filter((daemon) => daemon !== null);
  for (const daemon of held) await signal(daemon, "SIGSTOP");
  return held;
}

export async function letGo(held: Held, except: ProcessIdentity | null): Promise<void> {
  for (const daemon of held) if (daemon.pid !== except?.pid) await signal(daemon, "SIGCONT");
}

async function reached(scene: Scene, held: Held, fits: (heard: Heard) => boolean): Promise<Held | null> {
  if ((await scene.watch.until(fits, limitMs)) !== null) return held;
  await letGo(held, null);
  return null;
}
