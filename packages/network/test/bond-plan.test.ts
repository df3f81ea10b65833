/** Bonds that are made as uplinks of switches, carried out on a model of the kernel's interfaces. */
import { uplinkIn } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { planBonds } from "../src/bond-plan.ts";
import { ownerOf, planSwitches, type FoundLink, type WantedSwitch } from "../src/switch-plan.ts";
import { carryOut, link, wanted } from "./link-model.ts";

const on = (name: string, uplink: string | null, more: Partial<WantedSwitch> = {}): WantedSwitch => {
  const { uplink: device, bond } = uplinkIn(uplink);
  return wanted(name, device, { ...(bond === undefined ? {} : { bond }), ...more });
};

/** As the agent does it: bonds first. */
const lookAt = (all: readonly WantedSwitch[], links: readonly FoundLink[]): FoundLink[] => {
  const bonded = carryOut(links, planBonds(all, links));
  return carryOut(bonded, planSwitches(all, bonded));
};

const host = [
  link("lo", { isLoopback: true, addresses: ["127.0.0.1"] }),
  link("eth0", { addresses: ["192.0.2.11"] }),
  link("eth1", { addresses: ["fe80::2"] }),
  link("eth2", { isOn: false }),
  link("eth3"),
  link("eth4", { master: "bond0" }),
  link("bond0", { kind: "bond" }),
  link("br-own", { kind: "bridge" }),
  link("gw1", { kind: "tun" }),
];
const cards = ["eth0", "eth1", "eth2", "eth3", "eth4", "bond0", "br-own", "gw1", "lo", "absent"];
const uplinks = fc.uniqueArray(fc.constantFrom(...cards), { minLength: 1, maxLength: 4 });
const switches = fc
  .uniqueArray(fc.tuple(fc.constantFrom("lan", "dmz", "web"), uplinks, fc.constantFrom(1500, 9000)), {
    selector: ([name]) => name,
    maxLength: 3,
  })
  .map((all) => all.map(([name, uplink, mtu]) => on(name, uplink.join("+"), { mtu })));

test("two cards become a bond that is the switch's port; what has an address is left out of it", () => {
  const links = lookAt([on("lan", "eth2+eth0+eth1")], host);
  const at = (name: string) => links.find((one) => one.name === name);
  expect(at("gb-eth2")).toMatchObject({
    kind: "bond",
    alias: "godwit-switch:lan",
    master: "gs-lan",
    isOn: true,
  });
  expect([at("eth0")?.master, at("eth1")?.master, at("eth2")?.master]).toEqual([null, "gb-eth2", "gb-eth2"]);
  expect(at("eth2")?.isOn).toBe(true);
  expect(planBonds([on("lan", "eth2+eth0+eth1")], links).refused.map(({ reason }) => reason)).toEqual([
    expect.stringContaining("192.0.2.11 of this host, which would be cut off"),
  ]);
});

test("what is planned is carried out without an error, then nothing is left to do, and nothing of others is changed", () => {
  fc.assert(
    fc.property(switches, switches, (before, after) => {
      let links: FoundLink[] = host;
      for (const all of [before, before, after, after, after, after]) links = lookAt(all, links);
      expect([planBonds(after, links).steps, planSwitches(after, links).steps]).toEqual([[], []]);
      for (const was of host) {
        const is = links.find(({ name }) => name === was.name);
        if (["eth1", "eth2", "eth3", "bond0"].includes(was.name)) continue;
        expect(is).toEqual(was);
      }
      const ownBonds = links.filter(({ alias, kind }) => kind === "bond" && alias !== null);
      for (const bond of ownBonds) {
        const owner = after.find(
          ({ name, bond: has }) => has !== undefined && bond.alias === `godwit-switch:${name}`,
        );
        const ports = links.filter(({ master }) => master === bond.name).map(({ name }) => name);
        expect(owner?.uplink).toBe(bond.name);
        for (const port of ports) expect(owner?.bond?.cards).toContain(port);
      }
    }),
  );
});

test("a switch that goes takes its bond along, and not while VMs are connected", () => {
  const links = lookAt([on("lan", "eth1+eth2", { taps: [{ name: "gw1", vlan: 0 }] })], host);
  expect(planBonds([], links).steps).toEqual([]);
  const free = links.map((one) => (one.name === "gw1" ? { ...one, master: null } : one));
  const left = lookAt([], free);
  expect(left.map(({ name }) => name).sort()).toEqual(host.map(({ name }) => name).sort());
  expect(left.some((one) => ownerOf(one) !== null || one.master === "gb-eth1")).toBe(false);
});

test("a card that was taken out is put in again, one that was put in by others is taken out", () => {
  const all = [on("lan", "eth1+eth2")];
  const links = lookAt(all, host).map((one) =>
    one.name === "eth1"
      ? { ...one, master: null }
      : one.name === "eth3"
        ? { ...one, master: "gb-eth1" }
        : one,
  );
  const again = lookAt(all, links);
  const masters = ["eth1", "eth2", "eth3"].map((name) => again.find((one) => one.name === name)?.master);
  expect(masters).toEqual(["gb-eth1", "gb-eth1", null]);
});

test("an interface of a bond's name that somebody else made is left alone; one that was not finished is finished", () => {
  for (const more of [{ alias: "mine" }, { isOn: true }, { kind: "dummy" }]) {
    const foreign = link("gb-eth1", { kind: "bond", isOn: false, ...more });
    const { steps, refused } = planBonds([on("lan", "eth1+eth2")], [...host, foreign]);
    expect([steps, refused[0]?.reason]).toEqual([[], expect.stringContaining("did not make")]);
    const left = lookAt([on("lan", "eth1+eth2")], [...host, foreign]);
    expect(left.find(({ name }) => name === "gb-eth1")).toEqual(foreign);
  }
  const unfinished = link("gb-eth1", { kind: "bond", isOn: false });
  const links = lookAt([on("lan", "eth1+eth2")], [...host, unfinished]);
  expect(links.find(({ name }) => name === "gb-eth1")).toMatchObject({
    alias: "godwit-switch:lan",
    isOn: true,
  });
  expect(links.find(({ name }) => name === "eth1")?.master).toBe("gb-eth1");
});

test("why a card is no part of a bond is told by what it is", () => {
  const reasonFor = (card: string, others: WantedSwitch[] = [], more: FoundLink[] = []) =>
    planBonds([...others, on("lan", `eth1+${card}`)], [...host, ...more]).refused[0]?.reason;
  expect(reasonFor("eth2")).toBeUndefined();
  expect(reasonFor("absent")).toContain("no network card absent");
  expect(reasonFor("eth4")).toContain("a port of bond0");
  expect(reasonFor("bond0")).toContain("but a bond");
  expect(reasonFor("br-own")).toContain("but a bridge");
  expect(reasonFor("gw1")).toContain("but a tap");
  expect(reasonFor("lo")).toContain("but loopback");
  expect(reasonFor("eth2", [on("dmz", "eth2")])).toContain("an uplink of virtual switch dmz");
  expect(reasonFor("eth2", [on("dmz", "eth3+eth2")])).toContain("an uplink of virtual switch dmz");
  const management = link("eth2.7", { kind: "vlan", lower: "eth2", addresses: ["192.0.2.13"] });
  expect(reasonFor("eth2", [], [management])).toContain("eth2.7, which lies on eth2, has the address");
});
