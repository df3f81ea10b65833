/** Switches and port groups of a host: the inventory's, kept on disk, beside the port groups of the configuration. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NetworkDefinition, NetworkList } from "@godwit/contract";
import fc from "fast-check";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { HostNetworks, mergeNetworks } from "../src/networks/host-networks.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-networks-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const log = pino({ level: "silent" });
const nobody = () => [];
const own = { name: "office", bridge: "br0", uplink: "eth0", allowForgedTransmits: false };
const config = () => ({ stateFolder: folder, portGroups: [own] });
const lan = (uplink: string | null = "eth1") => ({ name: "lan", uplink, mtu: 1500 });
const web = (more: Partial<NetworkDefinition> = {}): NetworkDefinition => ({
  ...{ name: "web", switch: "lan", vlan: 20, allowForgedTransmits: false },
  ...more,
});
const list = (switches = [lan()], networks = [web()]): NetworkList => ({ switches, networks });

test("what the inventory defines is kept over a restart, beside what the configuration has", async () => {
  const networks = await HostNetworks.read(config(), log);
  expect(await networks.take(list(), nobody)).toBe(true);
  expect(await networks.take(list(), nobody)).toBe(false);
  const restarted = await HostNetworks.read(config(), log);
  expect(restarted.all.map(({ name, bridge, uplink }) => [name, bridge, uplink])).toEqual([
    ["office", "br0", "eth0"],
    ["web", "gs-lan", "eth1"],
  ]);
  await restarted.take(list([], []), nobody);
  expect((await HostNetworks.read(config(), log)).all.map(({ name }) => name)).toEqual(["office"]);
  await writeFile(join(folder, "networks.json"), "{");
  expect((await HostNetworks.read(config(), log)).all.map(({ name }) => name)).toEqual(["office"]);
});

test("what a VM is connected to changes under it, and stays with its switch and uplink until no VM is", () => {
  const users = (name: string) => (name === "web" ? ["VM web-1"] : []);
  for (const next of [
    list([], []),
    list([lan("eth2")]),
    list([lan(), { ...lan(null), name: "other" }], [web({ switch: "other" })]),
  ]) {
    const { kept, refused } = mergeNetworks(next, list(), [], users);
    expect(kept.networks).toEqual([web()]);
    expect(kept.switches).toContainEqual(lan());
    expect(refused.map(({ reason }) => reason).join()).toContain("VM web-1 is connected to it");
    expect(mergeNetworks(next, list(), [], nobody)).toEqual({ kept: next, refused: [] });
  }
  for (const next of [
    list([{ ...lan(), mtu: 9000 }]),
    list([lan()], [web({ vlan: 30, mtu: 1400 })]),
    list([lan()], [web({ allowForgedTransmits: true })]),
  ])
    expect(mergeNetworks(next, list(), [], users)).toEqual({ kept: next, refused: [] });
});

test("a name of the host's own configuration stays its own, and is told", () => {
  const { kept, refused } = mergeNetworks(
    list([lan()], [web({ name: "office" })]),
    list([], []),
    [own],
    nobody,
  );
  expect(kept.networks).toEqual([]);
  expect(refused).toMatchObject([{ kind: "network", name: "office" }]);
  expect(refused[0]?.reason).toContain("take that out of portGroups");
});

test("a kernel without VLANs on bridges has the port groups without a tag", async () => {
  const networks = await HostNetworks.read(config(), log);
  networks.filtersVlans = false;
  await networks.take(list([lan()], [web(), web({ name: "plain", vlan: 0 })]), nobody);
  expect(networks.all.map(({ name }) => name)).toEqual(["office", "plain"]);
  expect(networks.refused).toMatchObject([{ kind: "network", name: "web" }]);
});

test("whatever is told and used: every port group has its switch, what is used is never lost, and the same again changes nothing", () => {
  const names = fc.constantFrom<string[]>("a", "b", "c");
  const switchNames = fc.constantFrom("s", "t");
  const lists = fc.record({
    switches: fc.uniqueArray(
      fc.record({ name: switchNames, uplink: fc.constantFrom("eth1", null), mtu: fc.constant(1500) }),
      { selector: ({ name }) => name },
    ),
    networks: fc.uniqueArray(
      fc.record({
        ...{ name: names, switch: switchNames, vlan: fc.constantFrom(0, 20) },
        allowForgedTransmits: fc.boolean(),
      }),
      { selector: ({ name }) => name },
    ),
  });
  fc.assert(
    fc.property(lists, lists, fc.uniqueArray(names), (first, next, used) => {
      const before = mergeNetworks(first, list([], []), [], nobody).kept;
      const users = (name: string) => (used.includes(name) ? [`VM ${name}`] : []);
      const { kept, refused } = mergeNetworks(next, before, [], users);
      for (const { switch: on } of kept.networks) expect(kept.switches.map(({ name }) => name)).toContain(on);
      for (const was of before.networks.filter(({ name }) => used.includes(name))) {
        expect(kept.networks).toContainEqual(expect.objectContaining({ name: was.name, switch: was.switch }));
        expect(kept.switches).toContainEqual(before.switches.find(({ name }) => name === was.switch));
      }
      const differs = next.networks.some(
        (one) => !kept.networks.some((has) => JSON.stringify(has) === JSON.stringify(one)),
      );
      if (differs) expect(refused).not.toEqual([]);
      expect(mergeNetworks(kept, kept, [], users)).toEqual({ kept, refused: [] });
    }),
  );
});
