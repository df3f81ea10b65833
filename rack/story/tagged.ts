/**
 * A port group with a VLAN on a switch that Godwit makes on the hosts' kernels, by docs/operators/networks.md: the running VM's
 * NIC is connected to it, and the VM moves. The storage server's kernel joins one VLAN of the trunk with the network of the client,
 * so that what the client hears came with that tag.
 */
import { run } from "@godwit/system";
import { namespaceOf, networks } from "../src/networks.ts";
import { vmBridge } from "../src/server-settings.ts";
import type { Server } from "../src/server.ts";
import { movesThereAndBack } from "./moves.ts";
import type { TaggedResult } from "./result.ts";
import type { Site } from "./site.ts";
import type { StoryVm } from "./story-vm.ts";

const vlan = 30;
const otherVlan = 31;

export async function tagged(site: Site, vm: StoryVm, say: (text: string) => void): Promise<TaggedResult> {
  say(`connecting the VM to VLAN ${String(vlan)}`);
  const problems: string[] = [];
  const { networks: known } = await site.api.call("networkList", {});
  if (!known.some(({ name }) => name === "web")) {
    await site.command(`godwit switch add lan --uplink ${networks.trunk.device}`);
    await site.command(`godwit network add web --switch lan --vlan ${String(vlan)}`);
  }
  const connect = async (network: string) => {
    await site.command(`godwit vm nic set ${vm.name} 0 --network ${network}`);
  };
  try {
    await connect("web");
    await joinVlan(site.server, vlan);
    const moves = [];
    for await (const move of movesThereAndBack(site, vm, say)) moves.push(move);
    await joinVlan(site.server, otherVlan);
    if (await answers(site, vm)) problems.push(`it answers in VLAN ${String(otherVlan)}`);
    await joinVlan(site.server, null);
    if (await answers(site, vm)) problems.push("it answers in the network that it was taken from");
    for (const problem of problems) say(`  PROBLEM: ${problem}`);
    return { vlan, moves, problems };
  } finally {
    await joinVlan(site.server, null);
    await connect("office");
  }
}

/** The client's network is this VLAN of the trunk from now on; null: none of it. */
async function joinVlan(server: Server, id: number | null): Promise<void> {
  const device = `${networks.trunk.device}.joined`;
  await server.shell(`ip link delete ${device} 2>/dev/null || true`);
  if (id === null) return;
  await server.shell(`
modprobe 8021q
ip link set ${networks.trunk.device} up
ip link set ${vmBridge} up
ip link add link ${networks.trunk.device} name ${device} type vlan id ${String(id)}
ip link set ${device} master ${vmBridge} up
`);
}

async function answers(site: Site, vm: StoryVm): Promise<boolean> {
  const words = ["netns", "exec", namespaceOf(site.rack.id), "ping", "-c", "3", "-W", "5", "-q", vm.address];
  const { exitCode } = await run("ip", words, { what: "asking the VM", okCodes: [0, 1, 2] });
  return exitCode === 0;
}
