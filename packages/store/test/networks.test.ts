/** Virtual switches and port groups that the inventory defines: for which hosts, on which switch, and kept while they are used. */
import { randomUUID } from "node:crypto";
import type { Vm, VmId } from "@godwit/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Store, switchOn } from "../src/index.ts";
import { OwnPostgres } from "./own-postgres.ts";

let own: OwnPostgres;
let store: Store;
beforeAll(async () => {
  own = await OwnPostgres.start();
  store = await Store.open(own.connection);
  for (const name of ["a", "b", "c"]) {
    const secret = await store.hosts.createToken(new Date(Date.now() + 60_000));
    const host = { name, agentUrl: "https://192.0.2.1:8444", memberId: name, certificateEndsAt: null };
    await store.hosts.join(secret, host);
  }
});
afterAll(async () => {
  await store.close();
  await own[Symbol.asyncDispose]();
});

const codeOf = async (doing: Promise<unknown>) =>
  await doing.then(
    () => "done",
    (error: unknown) => (error as { code: string }).code,
  );
const uplinksOf = async (name: string) => {
  const row = (await store.switches.list()).find((one) => one.name === name);
  return ["a", "b", "c"].map((host) => (row === undefined ? undefined : switchOn(row, host)?.uplink));
};

test("a switch is for every host or for some, each with an uplink of its own; further hosts are added by name", async () => {
  await store.switches.add({ name: "lan", uplink: "eth1", hosts: ["a"] });
  expect(await uplinksOf("lan")).toEqual(["eth1", undefined, undefined]);
  expect(await codeOf(store.switches.add({ name: "lan", uplink: "eth2", hosts: ["a"] }))).toBe(
    "SWITCH_EXISTS",
  );
  expect(await codeOf(store.switches.add({ name: "lan", uplink: "eth2", mtu: 9000, hosts: ["b"] }))).toBe(
    "SWITCH_EXISTS",
  );
  expect(await codeOf(store.switches.add({ name: "lan", uplink: "eth1", hosts: ["z"] }))).toBe(
    "HOST_UNKNOWN",
  );
  await store.switches.add({ name: "lan", uplink: "bond0", hosts: ["b"] });
  await store.switches.add({ name: "lan", uplink: "eth9" });
  expect(await uplinksOf("lan")).toEqual(["eth1", "bond0", "eth9"]);
  expect(await codeOf(store.switches.add({ name: "lan", uplink: "eth9" }))).toBe("SWITCH_EXISTS");
});

test("of several network cards a host has a bond, which the switch's uplink is", async () => {
  await store.switches.add({ name: "two-cards", uplink: "eth1+eth2", hosts: ["a"] });
  const again = store.switches.add({ name: "two-cards", uplink: "eth1", hosts: ["a"] });
  await expect(again).rejects.toThrow("with uplink eth1+eth2");
  await store.switches.add({ name: "two-cards", uplink: "eth1", hosts: ["b"] });
  expect(await uplinksOf("two-cards")).toEqual(["gb-eth1", "eth1", undefined]);
  const row = (await store.switches.list()).find(({ name }) => name === "two-cards");
  expect(row === undefined ? null : switchOn(row, "a")?.bond).toEqual({ cards: ["eth1", "eth2"] });
  await store.switches.remove("two-cards", null);
});

test("a port group needs its switch, an MTU that fits, a VLAN that the switch can tell apart, and a name of its own", async () => {
  const add = async (name: string, more: object = {}) =>
    await codeOf(store.networks.add({ name, switch: "lan", ...more }));
  expect(await add("web", { switch: "nope" })).toBe("SWITCH_UNKNOWN");
  expect(await add("web", { mtu: 9000 })).toBe("NETWORK_MTU_ABOVE_SWITCH");
  expect(await add("web", { vlan: 20 })).toBe("done");
  expect(await add("web", { vlan: 30 })).toBe("NETWORK_EXISTS");
  expect(await add("plain")).toBe("done");
  expect(await add("last", { vlan: 4094 })).toBe("NETWORK_VLAN_TAKEN");
  expect(await add("same", { vlan: 20, mtu: 1400, allowForgedTransmits: true })).toBe("done");
  const names = (await store.networks.list()).map(({ name, vlan, mtu }) => [name, vlan, mtu]);
  expect(names).toEqual([
    ["plain", 0, undefined],
    ["same", 20, 1400],
    ["web", 20, undefined],
  ]);
});

test("a port group and its switch are changed, as far as they then fit each other", async () => {
  const set = async (name: string, changes: object) => await codeOf(store.networks.set(name, changes));
  const webNow = async () => (await store.networks.list()).find(({ name }) => name === "web");
  expect(await set("nope", { vlan: 1 })).toBe("NETWORK_UNKNOWN");
  expect(await set("web", { mtu: 9000 })).toBe("NETWORK_MTU_ABOVE_SWITCH");
  expect(await set("web", { vlan: 4094 })).toBe("NETWORK_VLAN_TAKEN");
  expect(await webNow()).toMatchObject({ vlan: 20, allowForgedTransmits: false });
  expect(await set("web", { vlan: 30, mtu: 1400, allowForgedTransmits: true })).toBe("done");
  expect(await webNow()).toMatchObject({ vlan: 30, mtu: 1400, allowForgedTransmits: true });
  expect(await webNow()).not.toHaveProperty("isolatedHosts");
  expect(await set("web", { isolatedHosts: true })).toBe("done");
  expect(await webNow()).toMatchObject({ vlan: 30, allowForgedTransmits: true, isolatedHosts: true });
  expect(await set("web", { isolatedHosts: false })).toBe("done");
  expect(await webNow()).not.toHaveProperty("isolatedHosts");
  expect(await codeOf(store.switches.set("nope", { mtu: 9000 }))).toBe("SWITCH_UNKNOWN");
  expect(await codeOf(store.switches.set("lan", { mtu: 1300 }))).toBe("NETWORK_MTU_ABOVE_SWITCH");
  await store.switches.set("lan", { mtu: 9000 });
  expect(await set("web", { mtu: 9000 })).toBe("done");
  expect(await set("web", { vlan: 20, mtu: null, allowForgedTransmits: false })).toBe("done");
  expect(await webNow()).not.toHaveProperty("mtu");
});

test("what a VM is connected to is not removed, nor the switch under it", async () => {
  const vm = {
    ...{ id: randomUUID() as VmId, name: "web-1", datastore: "vms", disks: [] },
    nics: [{ portGroup: "web", mac: "52:54:00:00:00:01" }],
  } as unknown as Vm;
  await store.vms.enter(vm, { host: "a", state: "stopped" });
  const usersOf = async (doing: Promise<unknown>) =>
    await doing.then(
      () => [],
      (error: unknown) => (error as { problem: { details: { users: string[] } } }).problem.details.users,
    );
  expect(Object.fromEntries(await store.networks.users())).toEqual({ web: ["web-1"] });
  expect(await usersOf(store.networks.remove("web"))).toEqual(["VM web-1"]);
  expect(await usersOf(store.switches.remove("lan", "a"))).toEqual(["VM web-1"]);
  expect(await usersOf(store.switches.remove("lan", null))).toEqual([
    ...["port group plain", "port group same", "port group web"],
  ]);
  await store.switches.remove("lan", "b");
  expect(await uplinksOf("lan")).toEqual(["eth1", undefined, "eth9"]);
  expect(await codeOf(store.switches.remove("lan", "b"))).toBe("SWITCH_UNKNOWN");
  await store.vms.remove(vm.id, null);
  await store.switches.remove("lan", "a");
  // Of the last host it would go, with port groups on it.
  expect(await codeOf(store.switches.remove("lan", "c"))).toBe("SWITCH_IN_USE");
  for (const name of ["plain", "same", "web"]) await store.networks.remove(name);
  expect(await codeOf(store.networks.remove("web"))).toBe("NETWORK_UNKNOWN");
  await store.switches.remove("lan", "c");
  expect(await store.switches.list()).toEqual([]);
});

test("what a host was told by an inventory before this one is taken over once", async () => {
  const told = {
    switches: [{ name: "old", bridge: "gs-old", uplink: null, desiredUplink: "eth1", mtu: 9000 }],
    networks: [{ name: "was", switch: "old", vlan: 7, allowForgedTransmits: false }],
  };
  expect(await store.networks.takeOver("a", told)).toBe(true);
  expect(await uplinksOf("old")).toEqual(["eth1", undefined, undefined]);
  expect(await store.networks.list()).toMatchObject([{ name: "was", switch: "old", vlan: 7 }]);
  await store.networks.remove("was");
  await store.switches.remove("old", null);
  expect(await store.networks.takeOver("a", told)).toBe(false);
  expect(await store.networks.takeOver("b", told)).toBe(true);
  expect(await uplinksOf("old")).toEqual([undefined, "eth1", undefined]);
});

test("a switch with VXLAN has a number of its own, the same settings for each host, and port groups without VLANs", async () => {
  const add = async (name: string, vni: number, more: object = {}) =>
    await codeOf(store.switches.add({ name, uplink: null, hosts: ["a"], vxlan: { vni }, ...more }));
  expect(await add("far", 100)).toBe("done");
  expect(await add("other", 100)).toBe("SWITCH_VNI_TAKEN");
  expect(await add("far", 101, { hosts: ["b"] })).toBe("SWITCH_EXISTS");
  expect(await add("far", 100, { hosts: ["b"], vxlan: { vni: 100, underlay: "10.9.0.0/24" } })).toBe(
    "SWITCH_EXISTS",
  );
  expect(await add("far", 100, { hosts: ["b"] })).toBe("done");
  expect(await codeOf(store.switches.add({ name: "far", uplink: "eth1", hosts: ["c"] }))).toBe(
    "SWITCH_EXISTS",
  );
  expect(await uplinksOf("far")).toEqual(["gx-100", "gx-100", undefined]);
  const group = async (name: string, vlan: number) =>
    await codeOf(store.networks.add({ name, switch: "far", vlan }));
  expect([await group("far-web", 20), await group("far-web", 0)]).toEqual(["NETWORK_VLAN_IN_VXLAN", "done"]);
  expect(await codeOf(store.networks.set("far-web", { vlan: 20 }))).toBe("NETWORK_VLAN_IN_VXLAN");
  // After a restore from a backup the hosts' word makes it again.
  await store.networks.remove("far-web");
  await store.switches.remove("far", null);
  const settings = { vni: 100, port: 4790, underlay: "migration" as const };
  const told = { name: "far", bridge: "gs-far", uplink: "gx-100", desiredUplink: "gx-100", mtu: 1450 };
  const vxlan = { ...settings, local: "10.0.2.13", peers: [] };
  const team = { name: "team", bridge: "gs-team", mtu: 1500, uplink: "gb-eth1", desiredUplink: "gb-eth1" };
  const bond = { cards: ["eth1", "eth2"] };
  const switches = [
    { ...told, vxlan },
    { ...team, bond },
  ];
  expect(await store.networks.takeOver("c", { switches, networks: [] })).toBe(true);
  const found = (await store.switches.list()).find(({ name }) => name === "team");
  expect(found).toMatchObject({ uplink: "eth1+eth2", hosts: [{ host: "c", uplink: "eth1+eth2" }] });
  expect((await store.switches.list()).find(({ name }) => name === "far")).toMatchObject({
    ...{ uplink: null, mtu: 1450, vxlan: settings, hosts: [{ host: "c", uplink: null }] },
  });
});
