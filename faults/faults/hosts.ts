/** A host loses its power in the middle of a move, and boots again. */
import type { Fault, Heal } from "../fault.ts";
import { between, type Phase } from "../phases.ts";
import { sleep } from "@godwit/system";

const offMs = 8000;

/**
 * What a host had in memory goes with it: the source's until the commit, the destination's from then on. A commit
 * that was sent to a host that had lost its power a moment before may have been heard: the source cannot know.
 */
const fatal: Record<"source" | "destination", readonly Phase[]> = {
  source: between("validated", "final-state-sent"),
  destination: between("final-state-sent", "lease-converted"),
};

const hostGone = (role: "source" | "destination"): Fault => ({
  name: `${role}-host-gone`,
  fatal: fatal[role],
  inject: async (scene): Promise<Heal> => {
    await scene.lab.lab.host(scene[role]).cutPower();
    return async (judged) => {
      await Promise.race([judged, sleep(offMs)]);
      await scene.lab.lab.host(scene[role]).powerOn();
    };
  },
});

export const hostFaults: readonly Fault[] = [hostGone("source"), hostGone("destination")];
