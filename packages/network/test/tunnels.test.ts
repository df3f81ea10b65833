/** VXLAN tunnels between hosts that are network namespaces, joined by a network that carries no frames of VMs. */
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PortGroupFacts, PortGroupLoad } from "@godwit/contract";
import { run } from "@godwit/system";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { WantedSwitch } from "../src/index.ts";
import { fragments, sender, vxlan } from "./vxlan-packets.ts";

const id = `gwt-net-${String(process.pid)}`;
const program = fileURLToPath(new URL("in-namespace.ts", import.meta.url));
const hosts = ["a", "b", "c"];
const namespace = (host: string) => `${id}${host}`;
const addresses: Record<string, string[]> = {
  v4: ["10.9.0.1", "10.9.0.2", "10.9.0.3"],
  v6: ["fd00:9::1", "fd00:9::2", "fd00:9::3"],
};

const inside = async (host: string, ...words: string[]) =>
  await run("ip", ["netns", "exec", namespace(host), ...words], {
    what: "acting on a host",
    okCodes: [0, 1],
    timeoutMs: 240_000,
  });
async function call<Value>(host: string, name: string, ...args: unknown[]): Promise<Value> {
  const { stdout } = await inside(host, process.execPath, program, name, JSON.stringify(args));
  return (JSON.parse(stdout) as { value: Value }).value;
}
/** One after the other by the same program, as the agent does it. @returns what the last one returned */
async function inOrder<Value>(host: string, ...calls: [name: string, ...args: unknown[]][]): Promise<Value> {
  const words = calls.flatMap(([name, ...args]) => [name, JSON.stringify(args)]);
  const { stdout } = await inside(host, process.execPath, program, ...words);
  return (JSON.parse(stdout) as { value: Value }).value;
}

/** A switch as a host is to have it. @param peers numbers of hosts */
const wanted = (
  at: number,
  peers: number[],
  family = "v4",
  more: Partial<WantedSwitch> = {},
): WantedSwitch => ({
  ...{ name: "far", uplink: "gx-100", mtu: family === "v4" ? 1450 : 1430 },
  ...{ vlans: [0], taps: [], filtersVlans: false },
  vxlan: {
    ...{ vni: 100, port: 4789, underlay: "migration" as const },
    local: addresses[family]?.[at] ?? null,
    peers: peers.map((peer) => addresses[family]?.[peer] ?? ""),
  },
  ...more,
});
type Applied = Record<"refused" | "changed" | "exposed", { switch: string; reason: string }[]>;
const apply = async (host: string, ...switches: WantedSwitch[]) =>
  await call<Applied>(host, "applySwitches", switches);
const nothing = { refused: [], changed: [], exposed: [] };
const config = (at: number, peers: number[]) => [
  { name: "web", bridge: "gs-far", uplink: "gx-100", vxlan: wanted(at, peers).vxlan },
];
/** Between the bridges. @param size of the payload */
const reaches = async (from: string, to: number, size = 56) => {
  const words = ["ping", "-n", "-q", "-c", "2", "-i", "0.2", "-W", "1", "-M", "do", "-s", String(size)];
  return (await inside(from, ...words, `10.77.0.${String(to)}`)).exitCode === 0;
};
const bridgeAddresses = async () => {
  for (const [at, host] of hosts.entries())
    await inside(host, "ip", "address", "replace", `10.77.0.${String(at)}/24`, "dev", "gs-far");
};

beforeAll(async () => {
  const hub = namespace("hub");
  await run("ip", ["netns", "add", hub], { what: "making a namespace" });
  await inside("hub", "ip", "link", "add", "sw", "type", "bridge");
  await inside("hub", "ip", "link", "set", "sw", "up");
  for (const [at, host] of hosts.entries()) {
    await run("ip", ["netns", "add", namespace(host)], { what: "making a namespace" });
    const end = ["peer", "name", "eth0", "netns", namespace(host)];
    await inside("hub", "ip", "link", "add", "name", host, "type", "veth", ...end);
    await inside("hub", "ip", "link", "set", "dev", host, "master", "sw", "up");
    await inside(host, "ip", "link", "set", "eth0", "up");
    await inside(host, "ip", "address", "add", `${addresses["v4"]?.[at] ?? ""}/24`, "dev", "eth0");
    await inside(host, "ip", "address", "add", `${addresses["v6"]?.[at] ?? ""}/64`, "dev", "eth0", "nodad");
  }
});
afterAll(async () => {
  for (const host of [...hosts, "hub"])
    await run("ip", ["netns", "del", namespace(host)], { what: "removing a namespace" });
});

test("hosts that are peers reach each other through the tunnel, with its MTU; one that is none is not let in", async () => {
  for (const [at, host] of hosts.entries()) {
    // c sends to the others, who do not know it.
    const peers = at === 2 ? [0, 1] : [1 - at];
    const { refused, changed } = await apply(host, wanted(at, peers));
    expect([refused, changed.map(({ reason }) => reason)]).toEqual([[], ["tunnel gx-100 was missing"]]);
    expect(await apply(host, wanted(at, peers))).toEqual(nothing);
  }
  await bridgeAddresses();
  expect(await reaches("a", 1, 1422)).toBe(true);
  expect(await reaches("a", 1, 1423)).toBe(false);
  expect(await reaches("c", 1)).toBe(false);
  const counted = async (host: string) =>
    (await inside(host, "nft", "list", "table", "inet", "godwit_vxlan")).stdout;
  expect(await counted("b")).toMatch(/@th,96,24 0x64 counter packets [1-9]/);

  // A host that joins: each sends to it, and lets it in.
  for (const [at, host] of hosts.entries())
    expect(
      (
        await apply(
          host,
          wanted(
            at,
            [0, 1, 2].filter((one) => one !== at),
          ),
        )
      ).refused,
    ).toEqual([]);
  expect([await reaches("c", 1), await reaches("a", 2)]).toEqual([true, true]);
  const facts = await call<PortGroupFacts[]>("a", "portGroupFacts", config(0, [1, 2]));
  expect(facts).toMatchObject([
    { mtu: 1450, tunnel: { vni: 100, local: "10.9.0.1", peers: ["10.9.0.2", "10.9.0.3"] } },
  ]);

  // One that leaves: nothing is sent to it any more, also not to what was learned to be behind it.
  const { refused } = await apply("a", wanted(0, [1]));
  expect(refused).toEqual([]);
  const { stdout } = await inside("a", "bridge", "fdb", "show", "dev", "gx-100");
  expect(stdout).toContain("dst 10.9.0.2");
  expect(stdout).not.toContain("10.9.0.3");
});

test("what others change at a tunnel is put right and told", async () => {
  await apply("a", wanted(0, [1]));
  await apply("b", wanted(1, [0]));
  const repaired = async () => {
    const { refused, changed } = await apply("a", wanted(0, [1]));
    expect(refused).toEqual([]);
    expect(await reaches("a", 1)).toBe(true);
    return changed.map(({ reason }) => reason);
  };
  await inside("a", "bridge", "fdb", "del", "00:00:00:00:00:00", "dev", "gx-100", "dst", "10.9.0.2");
  expect(await repaired()).toEqual(["tunnel gx-100 did not lead to 10.9.0.2"]);
  await inside("a", "bridge", "fdb", "append", "00:00:00:00:00:00", "dev", "gx-100", "dst", "10.9.0.9");
  expect(await repaired()).toEqual(["tunnel gx-100 led to 10.9.0.9"]);
  await inside("a", "ip", "link", "set", "gx-100", "down");
  expect(await repaired()).toEqual(["tunnel gx-100 was off"]);
  await inside("a", "ip", "link", "del", "gx-100");
  expect(await repaired()).toEqual(["tunnel gx-100 was missing"]);
  await inside("a", "nft", "delete", "table", "inet", "godwit_vxlan");
  await apply("a", wanted(0, [1]));
  expect((await inside("a", "nft", "list", "tables")).stdout).toContain("godwit_vxlan");

  // Its link carries nothing: so does the port group.
  const state = async () => (await call<PortGroupLoad[]>("a", "portGroupLoad", config(0, [1])))[0]?.state;
  expect(await state()).toBe("up");
  await inside("hub", "ip", "link", "set", "dev", "a", "down");
  expect(await state()).toBe("uplinkWithoutCarrier");
  await inside("hub", "ip", "link", "set", "dev", "a", "up");
});

test("a tunnel is no larger than its underlay leaves, over IPv6 too, and needs an address of this host", async () => {
  const large = await apply("a", wanted(0, [1], "v4", { mtu: 1500 }));
  expect(large.refused).toEqual([
    {
      switch: "far",
      reason: "its link eth0 carries packets of 1500 bytes, which leaves 1450 within VXLAN, and not 1500",
    },
  ]);
  expect(await call("a", "portGroupFacts", config(0, [1]))).toMatchObject([{ mtu: 1450 }]);

  for (const [at, host] of ["a", "b"].entries())
    expect(await apply(host, wanted(at, [1 - at], "v6"))).toMatchObject({
      ...{ refused: [], changed: [{ reason: "tunnel gx-100 had another address" }] },
    });
  await bridgeAddresses();
  expect([await reaches("a", 1, 1402), await reaches("a", 1, 1403)]).toEqual([true, false]);
  expect(await apply("a", wanted(0, [1], "v6"))).toEqual(nothing);

  const { vxlan } = wanted(0, [1]);
  const other = async (more: object) => {
    const changed = { ...wanted(0, [1], "v6"), vxlan: { ...vxlan, ...more } } as WantedSwitch;
    return (await apply("a", changed)).refused.map(({ reason }) => reason);
  };
  expect(await other({ local: null })).toEqual([
    "this host has no address for migrations, from which it would send VXLAN",
  ]);
  expect(await other({ local: "10.9.0.77" })).toEqual([
    "no interface of this host has the address 10.9.0.77",
  ]);
  expect(await other({ peers: ["10.9.0.2", "fd00:9::2"] })).toEqual([
    "fd00:9::2 and 10.9.0.1 are addresses of different IP versions",
  ]);
  // Its bridge and its tunnel go with it, and the limit on who may send.
  await inside("a", "ip", "address", "flush", "dev", "gs-far");
  await apply("a");
  expect((await inside("a", "ip", "-o", "link", "show")).stdout).not.toMatch(/g[sx]-/);
  expect((await inside("a", "nft", "list", "tables")).stdout).not.toContain("godwit_vxlan");
});

test("over IPv6 a stranger does not get in by fragments, to whichever address; a peer does, and other fragments do", async () => {
  const second = "fd00:9::22";
  const [peer = "", local = "", stranger = ""] = addresses["v6"] ?? [];
  await inside("b", "ip", "address", "replace", `${second}/64`, "dev", "eth0", "nodad");
  expect((await apply("b", wanted(1, [0], "v6"))).refused).toEqual([]);
  const send = async (host: string, next: number, from: string, to: string, packets: string[]) => {
    const { exitCode, stderr } = await inside(host, "perl", "-e", sender, String(next), from, to, ...packets);
    expect([exitCode, stderr]).toEqual([0, ""]);
  };
  const mac = (number: number) => `02:00:00:00:00:0${String(number)}`;
  for (const [at, to] of [local, second].entries()) {
    const parts = (number: number) => vxlan(stranger, to, mac(at * 3 + number));
    await send("c", 17, stranger, to, [parts(1).join("")]);
    await send("c", 44, stranger, to, fragments(parts(2)));
    // Behind destination options.
    const [header, body] = parts(3);
    await send("c", 44, stranger, to, fragments(["1100010400000000", header + body], 60));
  }
  await send("a", 17, peer, local, [vxlan(peer, local, mac(7)).join("")]);
  await send("a", 44, peer, local, fragments(vxlan(peer, local, mac(8))));
  const learned = async () => {
    const { stdout } = await inside("b", "bridge", "fdb", "show", "dev", "gx-100");
    return [...stdout.matchAll(/^(02:00:00:00:00:0\d) dst (\S+)/gm)]
      .map(([, from, dst]) => [from, dst])
      .sort();
  };
  await expect.poll(learned).toEqual([
    [mac(7), peer],
    [mac(8), peer],
  ]);
  expect((await inside("c", "ping", "-n", "-q", "-c", "1", "-W", "2", "-s", "2000", local)).exitCode).toBe(0);
  await inside("b", "ip", "address", "del", `${second}/64`, "dev", "eth0");
});

test("the limit on who may send, removed by others, is told; without nft nothing goes through a tunnel", async () => {
  const look: [string, ...unknown[]] = ["applySwitches", [wanted(0, [1])]];
  const flush: [string, ...unknown[]] = ["run", "nft", "flush", "ruleset"];
  const exposed = [
    {
      switch: "far",
      reason:
        "anybody could send into tunnel gx-100 until now: something else on the host removed nftables table inet godwit_vxlan",
    },
  ];
  expect(await inOrder("a", look, flush, look)).toEqual({ refused: [], changed: [], exposed });
  expect(await inOrder("a", look, flush, look, look)).toEqual(nothing);
  const empty: typeof flush = ["run", "nft", "flush", "chain", "inet", "godwit_vxlan", "input"];
  expect(await inOrder<Applied>("a", look, empty, look)).toMatchObject({
    exposed: [{ reason: expect.stringContaining("changed nftables table") as string }],
  });

  const isUp = async () => (await inside("a", "ip", "link", "show", "gx-100")).stdout.includes(",UP");
  expect(await isUp()).toBe(true);
  const programs = await mkdtemp(join(tmpdir(), "godwit-network-"));
  for (const name of ["ip", "bridge"]) {
    const { stdout } = await run("sh", ["-c", `command -v ${name}`], { what: "looking for a program" });
    await symlink(stdout, join(programs, name));
  }
  const words = [process.execPath, program, "applySwitches", JSON.stringify([[wanted(0, [1])]])];
  const { stdout } = await inside("a", "env", `PATH=${programs}`, ...words);
  await rm(programs, { recursive: true });
  expect((JSON.parse(stdout) as { value: Applied }).value).toEqual({
    ...{ changed: [], exposed: [] },
    refused: [{ switch: "far", reason: "nft is not installed, without which anybody could send into it" }],
  });
  expect(await isUp()).toBe(false);
  expect(await apply("a", wanted(0, [1]))).toMatchObject({ refused: [], changed: [{ switch: "far" }] });
  expect(await isUp()).toBe(true);
  await apply("a");
});

test("another's interface of the tunnel's name is left alone", async () => {
  await inside("a", "ip", "link", "add", "gx-100", "type", "vxlan", "id", "5", "dstport", "4790");
  await inside("a", "ip", "link", "set", "gx-100", "up");
  const { refused } = await apply("a", wanted(0, [1]));
  expect(refused[0]?.reason).toBe("this host has an interface gx-100 already, which its agent did not make");
  const { stdout } = await inside("a", "ip", "-d", "link", "show", "gx-100");
  expect(stdout).toContain("vxlan id 5 ");
  expect(stdout).not.toContain("master");
});
