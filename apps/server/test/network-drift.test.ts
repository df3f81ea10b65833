/** What hosts have of switches and port groups beside what is defined: told, told again where that helps, and shown. */
import type { HostFacts, HostLoad, NetworkDefinition, NetworkList } from "@godwit/contract";
import { expect, test } from "vitest";
import { mustBeToldNetworks, networkDrift } from "../src/networks/drift.ts";
import { mtuWithin } from "../src/networks/underlay.ts";
import { networksOn, networkViews, switchViews, type HostNow } from "../src/networks/network-views.ts";

const lan = { name: "lan", uplink: "eth1", mtu: 1500 };
const web: NetworkDefinition = { name: "web", switch: "lan", vlan: 20, allowForgedTransmits: false };
const desired = { switches: [lan], networks: [web] };
const hasLan = { name: "lan", bridge: "gs-lan", uplink: "eth1", desiredUplink: "eth1", mtu: 1500 };
const hasWeb = { name: "web", bridge: "gs-lan", uplink: "eth1", mtu: 1500, definition: web };
const facts = (more: Partial<HostFacts> = {}) =>
  ({ switches: [hasLan], portGroups: [hasWeb], networksRefused: [], ...more }) as HostFacts;

test("what is missing, otherwise or still there is a drift, and told again where that helps", () => {
  expect(networkDrift(desired, facts())).toEqual([]);
  expect(mustBeToldNetworks(desired, facts())).toBe(false);
  const cases: [NetworkList, HostFacts, boolean][] = [
    [desired, facts({ switches: [] }), true],
    [desired, facts({ portGroups: [] }), true],
    [desired, facts({ switches: [{ ...hasLan, desiredUplink: "eth2" }] }), true],
    [desired, facts({ portGroups: [{ ...hasWeb, definition: { ...web, vlan: 30 } }] }), true],
    [
      { switches: [lan], networks: [{ ...web, isolatedHosts: true }] },
      facts({ abilities: ["announce"] }),
      true,
    ],
    [{ switches: [lan], networks: [] }, facts(), true],
    [{ switches: [], networks: [] }, facts({ portGroups: [] }), true],
    // Its agent puts the uplink in again by itself.
    [desired, facts({ switches: [{ ...hasLan, uplink: null }] }), false],
  ];
  for (const [wanted, now, isToldAgain] of cases) {
    expect(networkDrift(wanted, now)).toHaveLength(1);
    expect(mustBeToldNetworks(wanted, now)).toBe(isToldAgain);
  }
  // An agent that looks at no VM that has moved away need not know.
  const dmz = { switches: [lan], networks: [{ ...web, isolatedHosts: true as const }] };
  expect(networkDrift(dmz, facts())).toEqual([]);
  const refused = [{ kind: "network" as const, name: "web", reason: "VM web-1 is connected to it" }];
  expect(networkDrift({ switches: [lan], networks: [] }, facts({ networksRefused: refused }))).toMatchObject([
    { reason: "VM web-1 is connected to it" },
  ]);
});

test("an agent of a version that takes no definitions is not told, and says so; its own port groups are its own", () => {
  const { networksRefused: _, switches: __, ...earlier } = facts({ portGroups: [] });
  expect(mustBeToldNetworks(desired, earlier)).toBe(false);
  expect(networkDrift(desired, earlier)[0]?.reason).toContain("takes no definitions");
  const { definition: ___, ...own } = hasWeb;
  expect(networkDrift({ switches: [lan], networks: [] }, facts({ portGroups: [own] }))).toEqual([]);
});

test("switches and port groups are shown as each host has them", () => {
  const inventory = {
    switches: [
      {
        ...{ ...lan, everyHost: true, createdAt: new Date(0), vxlan: null },
        hosts: [
          { host: "c", uplink: "bond0" },
          { host: "d", uplink: null },
        ],
      },
    ],
    networks: [{ ...web, createdAt: new Date(0) }],
  };
  expect(["a", "c", "d"].map((host) => networksOn(inventory, host, new Map()).switches[0]?.uplink)).toEqual([
    ...["eth1", "bond0", null],
  ]);
  const load = (state: string) =>
    ({ links: [], portGroups: [{ name: "web", state, uplinkUp: state === "up" }] }) as unknown as HostLoad;
  const host = (name: string, more: Partial<HostNow> = {}): HostNow => ({
    ...{ name, isUp: true, facts: facts(), load: load("up") },
    ...more,
  });
  const { definition: _, ...own } = hasWeb;
  const hosts = [
    host("a"),
    host("b", { load: load("uplinkWithoutCarrier") }),
    host("c"),
    host("e", { isUp: false }),
    host("f", { facts: facts({ portGroups: [hasWeb, { ...own, name: "office" }] }) }),
  ];
  const states = (view: { hosts: { host: string; state: string }[] } | undefined) =>
    view?.hosts.map((one) => `${one.host} ${one.state}`);
  expect(states(switchViews(inventory, hosts)[0])).toEqual([
    ...["a available", "b available", "c notApplied", "e unknown", "f available"],
  ]);
  const [office, view] = networkViews(inventory, hosts);
  expect(states(office)).toEqual(["f notDefined"]);
  expect(states(view)).toEqual(["a available", "b unavailable", "c available", "e unknown", "f available"]);
  expect(view?.hosts[1]?.reason).toBe("its uplink eth1 has no carrier");
});

test("a switch with several network cards is what the host has of it when its agent makes bonds of the same cards", () => {
  const row = {
    ...{ name: "lan", uplink: "eth1+eth2", mtu: 1500, everyHost: true, createdAt: new Date(0), hosts: [] },
    vxlan: null,
  };
  const inventory = { switches: [row], networks: [] };
  const has = { name: "lan", bridge: "gs-lan", uplink: "gb-eth1", desiredUplink: "gb-eth1", mtu: 1500 };
  const reported = (cards: string[] | null, abilities = ["bonds"], uplink: string | null = "gb-eth1") =>
    facts({
      ...{ abilities, portGroups: [] },
      switches: [{ ...has, uplink, ...(cards === null ? {} : { bond: { cards } }) }],
    });
  const wanted = networksOn(inventory, "a", new Map([["a", reported(["eth1", "eth2"])]]));
  const drift = (...words: Parameters<typeof reported>) => {
    const told = reported(...words);
    return [networkDrift(wanted, told)[0]?.reason, mustBeToldNetworks(wanted, told)];
  };
  expect(drift(["eth1", "eth2"])).toEqual([undefined, false]);
  expect(drift(["eth1", "eth3"])).toEqual(["it has it with other network cards", true]);
  expect(drift(null, [], null)).toEqual(["its agent is of a version that makes no bonds", false]);
  expect(drift(["eth1", "eth2"], ["bonds"], null)[0]).toContain("gb-eth1 is no port of its bridge");
  const host = { name: "a", isUp: true, facts: reported(["eth1", "eth2"]), load: null };
  expect(switchViews(inventory, [host])[0]).toMatchObject({
    uplink: "eth1+eth2",
    hosts: [{ desiredUplink: "eth1+eth2", uplink: "gb-eth1", state: "available" }],
  });
});

test("a switch with VXLAN leads from each host's address to those of the others, also of one that is down; what differs is told", () => {
  const told = (migration: string | null, links: { addresses: string[]; mtu: number }[] = []) =>
    ({
      ...facts({ abilities: ["vxlan"], switches: [], portGroups: [] }),
      ...{
        migrationSettings: migration === null ? null : { address: migration, ports: { first: 1, last: 2 } },
      },
      links: links.map((link, index) => ({ name: `eth${String(index)}`, bitsPerSecond: null, ...link })),
    }) as HostFacts;
  const hosts = new Map([
    ["a", told("10.0.2.11", [{ addresses: ["10.0.2.11", "10.9.0.1"], mtu: 1500 }])],
    ["b", told("10.0.2.12", [{ addresses: ["10.9.0.2", "not an address"], mtu: 1550 }])],
    ["c", told("fe80::1%eth0", [{ addresses: ["10.9.1.3"], mtu: 1500 }])],
    ["d", null],
  ]);
  const row = (underlay: string) => ({
    ...{ name: "ov", uplink: null, mtu: 1450, everyHost: true, createdAt: new Date(0), hosts: [] },
    vxlan: { vni: 7, port: 4789, underlay },
  });
  const on = (underlay: string, host: string) => {
    const [only] = networksOn({ switches: [row(underlay)], networks: [] }, host, hosts).switches;
    return [only?.uplink, only?.vxlan?.local, only?.vxlan?.peers];
  };
  expect(on("migration", "a")).toEqual(["gx-7", "10.0.2.11", ["10.0.2.12"]]);
  expect(on("migration", "c")).toEqual(["gx-7", null, ["10.0.2.11", "10.0.2.12"]]);
  expect(on("10.9.0.0/24", "b")).toEqual(["gx-7", "10.9.0.2", ["10.9.0.1"]]);
  expect(on("10.9.0.0/23", "b")).toEqual(["gx-7", "10.9.0.2", ["10.9.0.1", "10.9.1.3"]]);

  const wanted = networksOn({ switches: [row("migration")], networks: [] }, "a", hosts);
  const [definition] = wanted.switches;
  const has = { name: "ov", bridge: "gs-ov", uplink: "gx-7", desiredUplink: "gx-7", mtu: 1450 };
  const withIt = (more: object, other: Partial<HostFacts> = {}) => ({
    ...told("10.0.2.11"),
    ...{ switches: [{ ...has, ...more }], ...other },
  });
  expect(networkDrift(wanted, withIt({ vxlan: definition?.vxlan }))).toEqual([]);
  const stale = withIt({ vxlan: { ...definition?.vxlan, peers: ["10.0.2.13"] } as never });
  expect([networkDrift(wanted, stale).length, mustBeToldNetworks(wanted, stale)]).toEqual([1, true]);
  // An agent that knows none is not told over and over.
  const earlier = withIt({ uplink: null }, { abilities: [] });
  expect(mustBeToldNetworks(wanted, earlier)).toBe(false);
  expect(networkDrift(wanted, earlier)[0]?.reason).toContain("knows no VXLAN");
  // What its agent has just put right is an alarm too.
  const reason = "tunnel gx-7 was missing";
  const repaired = withIt(
    { vxlan: definition?.vxlan },
    { networksRefused: [{ kind: "switch", name: "ov", reason }] },
  );
  expect(networkDrift(wanted, repaired)).toEqual([
    { kind: "switch", name: "ov", reason, isOfDefinition: false },
  ]);

  const mtu = (wantedMtu: number | undefined, underlay = "10.9.0.0/16") =>
    mtuWithin({ name: "ov", mtu: wantedMtu }, underlay, [...hosts.keys()], hosts);
  expect([mtu(undefined), mtu(undefined, "fd00::/8"), mtu(1400)]).toEqual([1450, 1430, 1400]);
  expect(() => mtu(1480)).toThrow(/host a .* carries packets of 1500 bytes, of which VXLAN takes 50/);
});
