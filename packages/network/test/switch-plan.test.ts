/** What is planned for virtual switches, carried out on a model of the kernel's interfaces. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { bridgeOf, ownerOf, planSwitches, type FoundLink, type WantedSwitch } from "../src/switch-plan.ts";
import { carryOut, link, wanted } from "./link-model.ts";

const cards = ["eth0", "eth1", "eth2", "bond0"];
const switches = fc
  .uniqueArray(
    fc.record({
      name: fc.constantFrom("lan", "dmz", "cellar", "a-switch-with-a-long-name", "a-switch-with-another"),
      uplink: fc.constantFrom(...cards, "absent", "br-own", null),
      mtu: fc.constantFrom(1500, 9000),
      vlans: fc.uniqueArray(fc.constantFrom(0, 1, 20, 4093), { maxLength: 3 }),
      taps: fc.uniqueArray(fc.record({ name: fc.constantFrom("gw1", "gw2"), vlan: fc.constantFrom(0, 20) }), {
        selector: ({ name }) => name,
      }),
      filtersVlans: fc.constant(true),
    }),
    { selector: ({ name }) => name, maxLength: 4 },
  )
  .map((all) =>
    // A tap is in one switch.
    all.map((one, index) => ({
      ...one,
      taps: one.taps.filter(
        ({ name }) => !all.slice(0, index).some(({ taps }) => taps.some((tap) => tap.name === name)),
      ),
    })),
  );
/** What a host has beside its switches. */
const host = [
  link("lo", { isLoopback: true, addresses: ["127.0.0.1"] }),
  link("eth0", { addresses: ["192.0.2.11", "fe80::1"] }),
  link("eth1", { addresses: ["fe80::2"] }),
  link("eth2", { isOn: false }),
  link("eth3", { master: "bond0" }),
  link("bond0", { kind: "bond" }),
  link("br-own", { kind: "bridge", addresses: ["192.0.2.12"] }),
  link("gw1", { kind: "tun" }),
];

test("what is planned is carried out without an error, and then nothing is left to do", () => {
  fc.assert(
    fc.property(switches, switches, (before, after) => {
      const first = carryOut(host, planSwitches(before, host));
      expect(planSwitches(before, first).steps).toEqual([]);
      // A tap that changes its switch frees the bridge, and that its uplink for another: each with the next look.
      let third = first;
      for (const _ of [1, 2, 3]) third = carryOut(third, planSwitches(after, third));
      const last = planSwitches(after, third);
      expect(last.steps).toEqual([]);
      for (const { name, uplink, mtu, vlans } of after) {
        const bridge = third.find((one) => ownerOf(one) === name);
        if (bridge === undefined) throw new Error(`there is no bridge for ${name}`);
        expect(bridge).toMatchObject({ isOn: true, filtersVlans: true, mtu });
        const port = third.find((one) => one.name === uplink);
        const isRefused = last.refused.some((one) => one.switch === name);
        if (port === undefined || isRefused) continue;
        expect(port).toMatchObject({ master: bridge.name, isOn: true });
        expect(port.vlans.map(({ vid }) => vid).sort()).toEqual(vlans.map((vlan) => vlan || 4094).sort());
      }
    }),
  );
});

test("nothing that the agent did not make is changed, whatever is asked: only a free uplink is made a port", () => {
  fc.assert(
    fc.property(switches, switches, (before, after) => {
      let links: FoundLink[] = host;
      for (const now of [before, after, after]) links = carryOut(links, planSwitches(now, links));
      for (const was of host) {
        const is = links.find(({ name }) => name === was.name);
        if (["eth1", "eth2", "bond0", "gw1"].includes(was.name)) {
          expect(is?.isOn).toBe(is?.master === null ? is.isOn || was.isOn : true);
          expect({ ...is, isOn: true, mtu: 0, master: null, vlans: [] }).toEqual({
            ...{ ...was, isOn: true, mtu: 0, master: null, vlans: [] },
          });
        } else expect(is).toEqual(was);
      }
    }),
  );
});

test("why a card is no uplink is told by what it is", () => {
  const reasonFor = (uplink: string, more: FoundLink[] = [], others: WantedSwitch[] = []) =>
    planSwitches([...others, wanted("lan", uplink)], [...host, ...more]).refused.find(
      (one) => one.switch === "lan",
    )?.reason;
  expect(reasonFor("eth1")).toBeUndefined();
  expect(reasonFor("absent")).toBeUndefined();
  expect(reasonFor("eth0")).toContain("192.0.2.11 of this host, which would be cut off");
  expect(reasonFor("eth3")).toContain("part of the bond bond0");
  expect(reasonFor("br-own")).toContain("a bridge");
  expect(reasonFor("gw1")).toContain("a tap");
  expect(reasonFor("lo")).toContain("loopback");
  expect(reasonFor("eth9", [link("eth9", { master: "br-own" })])).toContain("did not make");
  const management = link("eth1.7", { kind: "vlan", lower: "eth1", addresses: ["192.0.2.13"] });
  expect(reasonFor("eth1", [management])).toContain("eth1.7, which lies on eth1, has the address 192.0.2.13");
  expect(reasonFor("eth1", [], [wanted("dmz", "eth1")])).toContain("the uplink of virtual switch dmz");
  const bridge = link("gs-lan", { kind: "bridge", alias: "godwit-switch:lan" });
  expect(reasonFor("eth1", [bridge, link("eth8", { master: "gs-lan" })])).toContain("a loop");
});

test("an interface of a switch's name that somebody else made is left alone; one that was begun is finished", () => {
  for (const more of [{ alias: "mine" }, { addresses: ["192.0.2.1"] }, { isOn: true }]) {
    const foreign = link("gs-lan", { kind: "bridge", isOn: false, ...more });
    const { steps, refused } = planSwitches([wanted("lan", "eth1")], [...host, foreign]);
    expect(steps).toEqual([]);
    expect(refused[0]?.reason).toContain("did not make");
    expect(planSwitches([], [...host, foreign]).steps).toEqual([]);
  }
  const begun = link("gs-lan", { kind: "bridge", isOn: false });
  const links = carryOut([...host, begun], planSwitches([wanted("lan", "eth1")], [...host, begun]));
  expect(links.find(({ name }) => name === "gs-lan")).toMatchObject({
    alias: "godwit-switch:lan",
    isOn: true,
  });
});

test("a bridge that something needs is not removed", () => {
  const bridge = link("gs-lan", { kind: "bridge", alias: "godwit-switch:lan" });
  const plan = (...more: FoundLink[]) => planSwitches([], [...host, bridge, ...more]);
  expect(plan(link("eth8", { master: "gs-lan" })).steps).toHaveLength(1);
  const { steps, refused } = plan(link("gw9", { kind: "tun", master: "gs-lan" }));
  expect([steps, refused[0]?.reason]).toEqual([[], "VMs are connected to it (gw9)"]);
  expect(plan(link("gs-lan.7", { kind: "vlan", lower: "gs-lan" })).steps).toEqual([]);
});

test("a switch's bridge has a name that the kernel takes, and no two have the same", () => {
  const name = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/);
  fc.assert(
    fc.property(name, name, (a, b) => {
      expect(bridgeOf(a)).toMatch(/^gs-[a-z0-9-]{1,12}$/);
      expect(bridgeOf(a) === bridgeOf(b)).toBe(a === b);
    }),
  );
});

test("a VM's port that is used gets another VLAN, the new one first, and another MTU; again nothing is left to do", () => {
  const tap = { name: "gw01234567890", vlan: 20, mtu: 1500 };
  const lan = (vlan: number, mtu: number) => [
    wanted("lan", "eth1", { vlans: [vlan], mtu: 2000, taps: [{ ...tap, vlan, mtu }] }),
  ];
  const before = carryOut(
    [link("eth1"), link(tap.name, { kind: "tun" })],
    planSwitches(lan(20, 1500), [link("eth1"), link(tap.name, { kind: "tun" })]),
  );
  const plan = planSwitches(lan(30, 1600), before);
  expect(plan.steps.flatMap(({ steps }) => [...steps.ip, ...steps.bridge])).toEqual([
    `link set dev ${tap.name} mtu 1600`,
    "vlan add dev eth1 vid 30",
    "vlan del dev eth1 vid 20",
    `vlan add dev ${tap.name} vid 30 pvid untagged`,
    `vlan del dev ${tap.name} vid 20`,
  ]);
  expect(planSwitches(lan(30, 1600), carryOut(before, plan))).toEqual({ steps: [], refused: [] });
});
