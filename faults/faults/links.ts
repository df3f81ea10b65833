/** What the hosts send to each other is lost on the link: one way or both, for a while or for as long as it takes. */
import type { Fault, Heal, Scene } from "../fault.ts";
import { sleep } from "@godwit/system";

const shortMs = 3000;

type Network = "management" | "migration";
type Way = "there" | "back";

const ends = ({ source, destination }: Scene, way: Way): [string, string] =>
  way === "there" ? [source, destination] : [destination, source];

function cut(name: string, network: Network, ways: readonly Way[], forMs: number | null): Fault {
  return {
    name,
    inject: async (scene): Promise<Heal> => {
      const set = async (open: boolean) => {
        for (const way of ways) await scene.lab.lab.setPath(network, ...ends(scene, way), open);
      };
      await set(false);
      return async (judged) => {
        await (forMs === null ? judged : sleep(forMs));
        await set(true);
      };
    },
  };
}

/** `link`: between the agents, who both still reach the server. */
export const linkFaults: readonly Fault[] = [
  cut("cut-link-3s", "management", ["there", "back"], shortMs),
  cut("cut-link", "management", ["there", "back"], null),
  cut("cut-link-there-3s", "management", ["there"], shortMs),
  cut("cut-link-there", "management", ["there"], null),
  cut("cut-link-back-3s", "management", ["back"], shortMs),
  cut("cut-link-back", "management", ["back"], null),
  cut("cut-migration-link", "migration", ["there", "back"], null),
];
