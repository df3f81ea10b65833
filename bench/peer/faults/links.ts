/** Links are cut: between the daemons (and between virsh and the destination's), or of the migration stream. */
import { setLink } from "@godwit/lab";
import type { Fault } from "./fault.ts";
import type { Scene } from "./scene.ts";

const shortMs = 3000;
type Network = "management" | "migration";

const set =
  (network: Network, up: boolean) =>
  async ({ lab, hosts }: Scene): Promise<void> => {
    await setLink(lab.id, hosts.destination, network, up);
  };

const cut = (name: string, network: Network): Pick<Fault, "name" | "begin"> => ({
  name,
  begin: set(network, false),
});

/** Afterwards there is nothing on the migration link any more. */
const whileStreaming = { phases: ["copying", "switching"] } as const;

export const linkFaults: readonly Fault[] = [
  { ...cut("daemons' link cut 3 s", "management"), lastsMs: shortMs, end: set("management", true) },
  { ...cut("daemons' link cut", "management"), lastsMs: null },
  {
    name: "destination's answers lost",
    lastsMs: null,
    begin: async ({ lab, hosts }) => {
      await lab.setPath("management", hosts.destination, hosts.source, false);
    },
  },
  {
    ...cut("migration link cut 3 s", "migration"),
    lastsMs: shortMs,
    end: set("migration", true),
    ...whileStreaming,
  },
  { ...cut("migration link cut", "migration"), lastsMs: null, ...whileStreaming },
];
