/** What a bridge's forwarding database means for a VM that has moved away, whose announcement should have come in over the uplink. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { interfacesIn, type Interface } from "../src/iproute.ts";
import { entryIn, learningIn, learningOf } from "../src/learned-macs.ts";
import { lookUp, type PortGroupConfig } from "../src/port-groups.ts";

/** As `ip -json -details address show` prints them. */
interface Printed {
  bridge?: object;
  bridgeFlags?: string[];
  uplink?: object;
  uplinkFlags?: string[];
  slave?: object;
}
const on = ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"];
const learns = { state: "forwarding", learning: true, locked: false };
function host({ bridge, bridgeFlags = on, uplink, uplinkFlags = on, slave }: Printed = {}): Interface[] {
  const port = (more: object) => ({ info_slave_kind: "bridge", info_slave_data: { ...learns, ...more } });
  const infoOfBridge = { ageing_time: 30_000, vlan_filtering: 0, ...bridge };
  return interfacesIn(
    JSON.stringify([
      {
        ...{ ifname: "br0", flags: bridgeFlags, mtu: 1500 },
        linkinfo: { info_kind: "bridge", info_data: infoOfBridge },
      },
      {
        ...{ ifname: "eth1", flags: uplinkFlags, mtu: 1500, master: "br0", ...uplink },
        linkinfo: port(slave ?? {}),
      },
      {
        ...{ ifname: "gw12345678901", flags: on, mtu: 1500, master: "br0" },
        linkinfo: { info_kind: "tun", info_data: { type: "tap" }, ...port({}) },
      },
      { ifname: "eth9", flags: on, mtu: 1500 },
    ]),
  );
}
const office: PortGroupConfig = { name: "office", bridge: "br0", uplink: "eth1" };
const web: PortGroupConfig = {
  ...office,
  definition: { name: "web", switch: "lan", vlan: 20, mtu: null, allowForgedTransmits: false } as never,
};
const untagged = { ...web, definition: { ...web.definition, vlan: 0 } as never };
const learning = (printed: Printed, config = office) => learningIn(lookUp(config, host(printed)));

test("a bridge learns in the VLAN of the port group, or in none where it does not filter", () => {
  expect(learning({})).toEqual({ vlan: null });
  const filters = { vlan_filtering: 1, vlan_default_pvid: 0 };
  expect(learning({ bridge: filters }, web)).toEqual({ vlan: 20 });
  expect(learning({ bridge: filters }, untagged)).toEqual({ vlan: 4094 });
  expect(learning({ bridge: { ...filters, vlan_default_pvid: 7 } }, office)).toEqual({ vlan: 7 });
  // Who put taps into which VLAN there is not known.
  expect(learning({ bridge: filters }, office)).toBe(null);
});

test("a bridge that does not learn at its uplink, for any cause: nothing is said", () => {
  const hindrances: Printed[] = [
    { bridgeFlags: ["BROADCAST"] },
    { uplinkFlags: ["UP"] },
    { uplinkFlags: ["LOWER_UP"] },
    { uplink: { master: "br1" } },
    { slave: { learning: false } },
    { slave: { locked: true } },
    { slave: { state: "blocking" } },
    { slave: { state: "disabled" } },
    { bridge: { ageing_time: 0 } },
    { bridge: { ageing_time: 900 } },
    { bridge: { ageing_time: "soon" } },
  ];
  for (const one of hindrances) expect({ one, learning: learning(one) }).toEqual({ one, learning: null });
  expect(learning({}, { ...office, uplink: null })).toBe(null);
  expect(learning({}, { ...office, uplink: "eth7" })).toBe(null);
  expect(learning({}, { ...office, bridge: "br7" })).toBe(null);
  expect(learning({}, { ...office, bridge: "eth9" })).toBe(null);
  fc.assert(
    fc.property(fc.subarray(hindrances), (some) => {
      const all: Printed = Object.assign({}, ...some) as Printed;
      expect(learning(all) === null).toBe(some.length > 0);
    }),
  );
});

test("an address is learned at a port that is no tap; one that is set, or at a port that is gone, says nothing", () => {
  const at = (port: string, isFixed = false) => learningOf({ port, isFixed }, host());
  expect(learningOf(null, host())).toBe("notLearned");
  expect(at("eth1")).toBe("learned");
  expect(at("gw12345678901")).toBe("notLearned");
  expect(at("eth1", true)).toBe("unknown");
  for (const port of ["br0", "eth9", "gone"]) expect(at(port)).toBe("unknown");
});

test("entries are read as bridge prints them, and what is none is none", () => {
  const printed = (more: object) =>
    JSON.stringify([{ mac: "52:54:00:00:00:02", ifname: "eth1", flags: [], master: "br0", ...more }]);
  expect(entryIn(printed({ state: "" }))).toEqual({ port: "eth1", isFixed: false });
  expect(entryIn(printed({ state: "", vlan: 20, flags: ["extern_learn"] }))).toMatchObject({
    isFixed: false,
  });
  for (const state of ["static", "permanent"])
    expect(entryIn(printed({ state }))).toMatchObject({ isFixed: true });
  for (const text of ["[]", "{}", '[{"mac":"52:54:00:00:00:02"}]', printed({ ifname: 7 })])
    expect(entryIn(text)).toBe(undefined);
});
