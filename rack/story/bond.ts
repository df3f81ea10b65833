/**
 * A switch with two network cards, of which Godwit makes a bond on the hosts' kernels: the VM moves on it, a pulled cable is an alarm and stops nobody, and
 * the alarm ends with the cable.
 */
import { run, until } from "@godwit/system";
import { namespaceOf, networks } from "../src/networks.ts";
import { settingsOf } from "../src/server-settings.ts";
import type { Server } from "../src/server.ts";
import { movesThereAndBack } from "./moves.ts";
import type { BondResult } from "./result.ts";
import type { Site } from "./site.ts";
import type { StoryVm } from "./story-vm.ts";

const cards = ["office", "trunk"] as const;
const devices = cards.map((card) => networks[card].device);
/** As the handbook names it. */
const bond = `gb-${networks.office.device}`;
const limitMs = 300_000;

export async function bonded(site: Site, vm: StoryVm, say: (text: string) => void): Promise<BondResult> {
  say("connecting the VM to a switch on a bond of two cards");
  const result: BondResult = {
    moves: [],
    degradedAfterSeconds: null,
    lost: 0,
    acknowledged: 0,
    problems: [],
  };
  const connect = async (network: string) => {
    await site.command(`godwit vm nic set ${vm.name} 0 --network ${network}`);
  };
  await joinNetworks(site, true);
  await Promise.all(site.hosts.map(freeCards));
  const { networks: known } = await site.api.call("networkList", {});
  if (!known.some(({ name }) => name === "bonded")) {
    await site.command(
      `godwit switch add two-cards ${devices.map((device) => `--uplink ${device}`).join(" ")}`,
    );
    await site.command("godwit network add bonded --switch two-cards");
  }
  try {
    await Promise.all(site.hosts.map(mustHaveBond));
    await connect("bonded");
    for await (const move of movesThereAndBack(site, vm, say)) result.moves.push(move);
    await pullCable(site, vm, result);
  } finally {
    await connect("office");
    await site.command("godwit network remove bonded");
    await site.command("godwit switch remove two-cards");
    const left = await Promise.all(site.hosts.map(leftBond));
    result.problems.push(...left.flat());
    await Promise.all(site.hosts.map(giveCardsBack));
    await joinNetworks(site, false);
  }
  say(
    `  an alarm ${String(result.degradedAfterSeconds)} s after the cable was pulled; ${String(result.lost)} of ${String(result.acknowledged)} writes lost`,
  );
  for (const problem of result.problems) say(`  PROBLEM: ${problem}`);
  return result;
}

async function pullCable(site: Site, vm: StoryVm, result: BondResult): Promise<void> {
  const { host: name } = await vm.view();
  const host = site.rack.server(name);
  const isDegraded = async () =>
    (await site.api.call("hostShow", { params: { host: name } })).alarms.some(
      ({ code }) => code === "HOST_BOND_DEGRADED",
    );
  if (await isDegraded()) result.problems.push("the bond counts as degraded before a cable was pulled");
  await using load = await vm.load();
  const active = (await host.run("cat", `/sys/class/net/${bond}/bonding/active_slave`)).trim();
  const card = cards.find((one) => networks[one].device === active) ?? "office";
  const began = performance.now();
  await host.setCable(card, false);
  const told = await until(isDegraded, { everyMs: 500, limitMs });
  if (told === true) result.degradedAfterSeconds = Math.round((performance.now() - began) / 100) / 10;
  else result.problems.push("there is no alarm of the bond");
  const now = (await host.run("cat", `/sys/class/net/${bond}/bonding/active_slave`)).trim();
  if (now === active) result.problems.push(`${active} is still the card in use`);
  const { lost, acknowledged } = await load.finish([]);
  Object.assign(result, { lost, acknowledged });
  await using after = await vm.load();
  const { acknowledged: more } = await after.finish([]);
  if (more === 0) result.problems.push("the VM does not answer over the other card");
  await host.setCable(card, true);
  const isWell = async () => !(await isDegraded());
  if ((await until(isWell, { everyMs: 500, limitMs })) !== true)
    result.problems.push("the alarm stays after the cable is back");
}

/** Both cards of a host lead to one network of VMs, as two ports of its switches. */
async function joinNetworks(site: Site, joined: boolean): Promise<void> {
  const ip = async (...words: string[]) =>
    await run("ip", ["-n", namespaceOf(site.rack.id), ...words], {
      what: "joining two networks of the rack",
      okCodes: [0, 1, 2],
    });
  await ip("link", "delete", "joined-0");
  if (!joined) return;
  await ip("link", "add", "joined-0", "type", "veth", "peer", "name", "joined-1");
  for (const [index, network] of cards.entries())
    await ip("link", "set", `joined-${String(index)}`, "master", network, "up");
}

/** As an administrator does it: nothing else configures the cards. */
async function freeCards(host: Server): Promise<void> {
  for (const [path, text] of settingsOfCards(host))
    await host.write(path, text.replace(/\[Link\][^]*$/, "[Link]\nUnmanaged=yes\n"));
  await host.shell("networkctl reload");
  for (const device of devices) await host.shell(`ip link set ${device} nomaster`);
}

async function mustHaveBond(host: Server): Promise<void> {
  const ports = async () =>
    (await host.shell(`cat /sys/class/net/${bond}/bonding/slaves 2>/dev/null || true`)).trim().split(/\s+/);
  const isMade = async () => (await ports()).length === cards.length;
  if ((await until(isMade, { everyMs: 1000, limitMs })) !== true)
    throw new Error(`bond ${bond} of ${host.name} has ${(await ports()).join(" and ")}`);
}

/** What is left of the bond after its switch, in sentences. */
async function leftBond(host: Server): Promise<string[]> {
  const isGone = async () =>
    (await host.shell(`test -e /sys/class/net/${bond} || echo gone`)).trim() === "gone";
  return (await until(isGone, { everyMs: 1000, limitMs })) === true ? [] : [`${host.name} still has ${bond}`];
}

async function giveCardsBack(host: Server): Promise<void> {
  for (const [path, text] of settingsOfCards(host)) await host.write(path, text);
  await host.shell(`networkctl reload; networkctl reconfigure ${devices.join(" ")}`);
}

const settingsOfCards = (host: Server): [string, string][] =>
  Object.entries(settingsOf(host.spec)).filter(([path]) => cards.some((card) => path.includes(card)));
