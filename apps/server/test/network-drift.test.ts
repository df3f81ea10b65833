/** What hosts have of switches and port groups beside what is defined: told, told again where that helps, and shown. */
import type { HostFacts, HostLoad, NetworkDefinition, NetworkList } from "@godwit/contract";
import { expect, test } from "vitest";
import { mustBeToldNetworks, networkDrift } from "../src/networks/drift.ts";
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
    [{ switches: [lan], networks: [] }, facts(), true],
    [{ switches: [], networks: [] }, facts({ portGroups: [] }), true],
    // Its agent puts the uplink in again by itself.
    [desired, facts({ switches: [{ ...hasLan, uplink: null }] }), false],
  ];
  for (const [wanted, now, isToldAgain] of cases) {
    expect(networkDrift(wanted, now)).toHaveLength(1);
    expect(mustBeToldNetworks(wanted, now)).toBe(isToldAgain);
  }
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
        ...{ ...lan, everyHost: true, createdAt: new Date(0) },
        hosts: [
          { host: "c", uplink: "bond0" },
          { host: "d", uplink: null },
        ],
      },
    ],
    networks: [{ ...web, createdAt: new Date(0) }],
  };
  expect(["a", "c", "d"].map((host) => networksOn(inventory, host).switches[0]?.uplink)).toEqual([
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
