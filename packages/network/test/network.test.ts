/** Taps, port groups and links in a scratch network namespace; `ip` is asked what is really there. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { LinkFacts, PortGroupFacts, PortGroupLoad } from "@godwit/contract";
import { run } from "@godwit/system";
import fc from "fast-check";
import { describeWith } from "../../../test-kit/src/describe-with.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { busyIn } from "../src/connections.ts";
import { htbCeiling } from "../src/iproute.ts";
import { hexOf } from "../src/port-rules.ts";
import { linkWith, tapName, type LinkState } from "../src/index.ts";
import { parseTraffic } from "../src/traffic.ts";

const namespace = `gwt-net-${String(process.pid)}`;
const program = fileURLToPath(new URL("in-namespace.ts", import.meta.url));

interface Outcome {
  value?: unknown;
  code?: string;
  tookMs: number;
}

async function call(name: string, ...args: unknown[]): Promise<Outcome> {
  const { stdout } = await run(
    "ip",
    ["netns", "exec", namespace, process.execPath, program, name, JSON.stringify(args)],
    { what: `calling ${name}`, timeoutMs: 240_000 },
  );
  return JSON.parse(stdout) as Outcome;
}
const ip = async (...args: string[]) =>
  await run("ip", ["-n", namespace, ...args], { what: "arranging the namespace" });
const shown = async (name: string): Promise<unknown> =>
  (JSON.parse((await ip("-j", "-d", "link", "show", "dev", name)).stdout) as unknown[])[0];

beforeAll(async () => {
  await run("ip", ["netns", "add", namespace], { what: "making the namespace" });
  await ip("link", "add", "br-jumbo", "type", "bridge");
  await ip("link", "set", "br-jumbo", "mtu", "9000", "up");
  await ip("link", "add", "br-plain", "type", "bridge");
  await ip("link", "add", "up0", "type", "veth", "peer", "name", "far0");
  await ip("link", "set", "up0", "master", "br-plain", "up");
  await ip("link", "set", "far0", "up");
  await ip("address", "add", "10.9.8.7/24", "dev", "far0");
});
afterAll(async () => {
  await run("ip", ["netns", "del", namespace], { what: "removing the namespace" });
});

const tap = tapName("0f3a5b7c-9d1e-4000-8000-000000000000", 0);

test.each([
  ["nobody", "nobody"],
  ["2010000007", 2_010_000_007],
])(
  "a tap is %s's, up, in its bridge and does not shrink it; made twice it is the same one",
  async (owner, user) => {
    const spec = { name: tap, bridge: "br-jumbo", owner };
    expect(await call("createTap", spec)).toMatchObject({ value: null });
    const first = await shown(tap);
    expect(first).toMatchObject({
      master: "br-jumbo",
      mtu: 9000,
      linkinfo: { info_data: { type: "tap", persist: true, user } },
    });
    expect(await call("createTap", spec)).toMatchObject({ value: null });
    expect(await shown(tap)).toMatchObject({ ifindex: (first as { ifindex: number }).ifindex });
    expect(await call("listTaps")).toMatchObject({ value: [tap] });
    expect(await call("deleteTap", tap)).toMatchObject({ value: null });
    expect(await call("deleteTap", tap)).toMatchObject({ value: null });
    expect(await call("listTaps")).toMatchObject({ value: [] });
  },
);

test("a bridge that is not there is named, and no tap stays", async () => {
  expect(await call("createTap", { name: tap, bridge: "br-none", owner: "nobody" })).toMatchObject({
    code: "NETWORK_BRIDGE_MISSING",
  });
  expect(await call("createTap", { name: tap, bridge: "br-none", owner: "nobody", mtu: 1500 })).toMatchObject(
    {
      code: "PROGRAM_FAILED",
    },
  );
  expect(await call("listTaps")).toMatchObject({ value: [] });
});

test("another's interface of the same name is left alone", async () => {
  await ip("link", "add", tap, "type", "bridge");
  const spec = { name: tap, bridge: "br-plain", owner: "nobody" };
  expect(await call("createTap", spec)).toMatchObject({ code: "NETWORK_INTERFACE_TAKEN" });
  expect(await call("deleteTap", tap)).toMatchObject({ code: "NETWORK_INTERFACE_TAKEN" });
  expect(await shown(tap)).toMatchObject({ linkinfo: { info_kind: "bridge" } });
  await ip("link", "del", tap);
  await ip("tuntap", "add", "dev", tap, "mode", "tap", "user", "daemon");
  expect(await call("createTap", spec)).toMatchObject({ code: "NETWORK_INTERFACE_TAKEN" });
  await ip("link", "del", tap);
});

test("port groups tell whether they lead outside, and if not why; a bridge that does not exist is no port group", async () => {
  const configs = [
    { name: "office", bridge: "br-plain", uplink: "up0" },
    { name: "inner", bridge: "br-jumbo", uplink: null },
    { name: "wrong", bridge: "br-jumbo", uplink: "up0" },
    { name: "typo", bridge: "br-jumbo", uplink: "up9" },
    { name: "gone", bridge: "br-gone", uplink: "up0" },
    { name: "nobridge", bridge: "far0", uplink: "up0" },
  ];
  const load = async () =>
    ((await call("portGroupLoad", configs)).value as PortGroupLoad[]).map(({ name, state, uplinkUp }) => {
      expect(uplinkUp).toBe(state === "up");
      return [name, state];
    });
  const office = async () => (await load())[0]?.[1];
  expect(await office()).toBe("bridgeOff");
  await ip("link", "set", "br-plain", "up");
  expect(await load()).toEqual([
    ["office", "up"],
    ["inner", "internal"],
    ["wrong", "uplinkNotInBridge"],
    ["typo", "uplinkMissing"],
    ["gone", "bridgeMissing"],
    ["nobridge", "bridgeMissing"],
  ]);
  const facts = async () =>
    ((await call("portGroupFacts", configs)).value as PortGroupFacts[]).map(({ name, mtu }) => [name, mtu]);
  expect(await facts()).toEqual([
    ["office", 1500],
    ["inner", 9000],
    ["wrong", 1500],
    ["typo", 9000],
  ]);
  await ip("link", "set", "far0", "down");
  expect(await office()).toBe("uplinkWithoutCarrier");
  await ip("link", "set", "up0", "down");
  expect(await office()).toBe("uplinkOff");
  await ip("link", "set", "up0", "up");
  await ip("link", "set", "far0", "up");
});

test("a bridge leads outside by its ports, and not by the taps of VMs", async () => {
  const carrier = async () =>
    ((await call("linkStates")).value as LinkState[]).find(({ name }) => name === "br-mig")?.carrier;
  await ip("link", "add", "br-mig", "type", "bridge", "forward_delay", "0");
  expect(await carrier()).toBe("off");
  await ip("link", "set", "br-mig", "up");
  expect(await carrier()).toBe("noPort");
  await ip("tuntap", "add", "dev", tap, "mode", "tap");
  await ip("link", "set", tap, "master", "br-mig", "up");
  expect(await carrier()).toBe("noPort");
  await ip("link", "add", "mig0", "type", "veth", "peer", "name", "mig1");
  await ip("link", "set", "mig0", "master", "br-mig", "up");
  expect(await carrier()).toBe("none");
  await ip("link", "set", "mig1", "up");
  expect(await carrier()).toBe("up");
  for (const name of [tap, "mig0", "br-mig"]) await ip("link", "del", name);
});

test("quick acknowledgement is set on the connected route, of IPv6 as of IPv4, and of no other route", async () => {
  const quick = async (family: "-4" | "-6"): Promise<string[]> =>
    (
      JSON.parse((await ip(family, "-j", "route", "show")).stdout) as { dst: string; metrics?: object[] }[]
    ).flatMap(({ dst, metrics }) => (JSON.stringify(metrics ?? []).includes("quickack") ? [dst] : []));
  await ip("link", "add", "qa0", "type", "veth", "peer", "name", "qa1");
  await ip("address", "add", "10.9.9.7/24", "dev", "qa0");
  await ip("address", "add", "10.9.9.8/24", "dev", "qa0");
  await ip("address", "add", "FD00:9:0::0007/64", "dev", "qa0", "nodad");
  await ip("address", "add", "fd00:8::7/64", "dev", "qa0", "nodad");
  await ip("link", "set", "qa1", "up");
  await ip("link", "set", "qa0", "up");
  expect([await quick("-4"), await quick("-6")]).toEqual([[], []]);
  // Twice: what is set already is left alone.
  for (const address of ["10.9.9.7", "fd00:9::7", "fd00:9::7"])
    expect(await call("enableQuickAck", address)).toMatchObject({ value: true });
  expect([await quick("-4"), await quick("-6")]).toEqual([["10.9.9.0/24"], ["fd00:9::/64"]]);
  expect(await call("enableQuickAck", "fd00:7::7")).toMatchObject({ value: false }); // no interface has it
  await ip("link", "del", "qa0");
});

const noMultipath = existsSync("/proc/sys/net/mptcp/enabled") ? null : "the kernel has no Multipath TCP";

describeWith("a host with further links", noMultipath, () => {
  test("it offers their addresses to other hosts once, and an administrator's limits stay", async () => {
    await ip("link", "add", "mp0", "type", "veth", "peer", "name", "mp1");
    await ip("address", "add", "10.9.12.7/24", "dev", "mp0");
    await ip("address", "add", "fd00:12::7/64", "dev", "mp0", "nodad");
    await ip("link", "set", "mp1", "up");
    await ip("link", "set", "mp0", "up");
    await ip("mptcp", "limits", "set", "subflow", "7", "add_addr_accepted", "0");
    // Twice: what is offered already is left alone.
    for (const addresses of [["10.9.12.7"], ["10.9.12.7", "fd00:12::7"]])
      expect(await call("offerAddresses", addresses)).toMatchObject({ value: null });
    const { stdout } = await ip("-json", "mptcp", "endpoint", "show");
    expect(JSON.parse(stdout)).toMatchObject([
      { address: "10.9.12.7", subflow: true, signal: true, dev: "mp0" },
      { address: "fd00:12::7", subflow: true, signal: true, dev: "mp0" },
    ]);
    expect((await ip("mptcp", "limits", "show")).stdout).toMatch(/add_addr_accepted 2 subflows 7/);
    expect(await call("offerAddresses", ["10.9.13.7"])).toMatchObject({
      value: "no interface has 10.9.13.7",
    });
    await ip("mptcp", "endpoint", "flush");
    await ip("link", "del", "mp0");
  });
});

test("a stream has quick acknowledgement by whichever connected route it goes, and what else was set on the route stays", async () => {
  await ip("link", "add", "qa0", "type", "veth", "peer", "name", "qa1");
  await ip("link", "set", "qa1", "up");
  await ip("link", "set", "qa0", "up");
  const routeTo = async (peer: string, from: string): Promise<string> =>
    (await ip("route", "get", peer, "from", from)).stdout;

  // By DHCPv6: the address is alone in its prefix, the network is known by the router's advertisement.
  await ip("address", "add", "fd00:10::7/128", "dev", "qa0", "nodad");
  const advertised = ["proto", "ra", "metric", "1024", "expires", "3000", "mtu", "lock", "1400"];
  await ip("-6", "route", "add", "fd00:10::/64", "dev", "qa0", ...advertised);
  expect(await routeTo("fd00:10::9", "fd00:10::7")).not.toContain("quickack");
  expect(await call("enableQuickAck", "fd00:10::7")).toMatchObject({ value: true });
  expect(await routeTo("fd00:10::9", "fd00:10::7")).toMatch(/proto ra .*quickack 1/);
  const { stdout: six } = await ip("-6", "route", "show", "fd00:10::/64");
  expect(six).toMatch(/^fd00:10::\/64 dev qa0 proto ra metric 1024 expires \d+sec mtu lock 1400 quickack 1/);

  // The second address of an interface: the network's one route prefers the first.
  await ip("address", "add", "10.9.10.7/24", "dev", "qa0");
  await ip("address", "add", "10.9.10.8/24", "dev", "qa0");
  await ip("route", "change", "10.9.10.0/24", "dev", "qa0", "src", "10.9.10.7", "initcwnd", "20");
  expect(await call("enableQuickAck", "10.9.10.8")).toMatchObject({ value: true });
  expect(await routeTo("10.9.10.9", "10.9.10.8")).toContain("quickack 1");
  const { stdout: four } = await ip("route", "show", "10.9.10.0/24");
  expect(four).toMatch(/^10\.9\.10\.0\/24 dev qa0 scope link src 10\.9\.10\.7 initcwnd 20 quickack 1/);

  // A network behind a router is not the interface's own.
  await ip("address", "add", "10.9.11.7/32", "dev", "qa0");
  await ip("route", "add", "10.9.11.0/24", "via", "10.9.10.1", "dev", "qa0");
  expect(await call("enableQuickAck", "10.9.11.7")).toMatchObject({ value: false });
  await ip("link", "del", "qa0");
});

test("a link is found by its address, and a link-local address by its interface too", () => {
  const links = [
    { name: "eth0", addresses: ["10.9.8.7", "fe80::1"] },
    { name: "eth1", addresses: ["fd00:2::11", "fe80::1"] },
  ];
  const nameOf = (address: string) => linkWith(links, address)?.name ?? null;
  expect(["fd00:2::11", "10.9.8.7", "10.9.8.6", "fe80::1%eth1", "fe80::1%eth2"].map(nameOf)).toEqual([
    ...["eth1", "eth0", null, "eth1", null],
  ]);
});

test("a link's speed is its shaper's; without one a virtual link claims none", async () => {
  const speed = async () =>
    ((await call("linkFacts")).value as LinkFacts[]).find(({ addresses }) => addresses.includes("10.9.8.7"))
      ?.bitsPerSecond;
  const tc = async (...args: string[]) =>
    await run("ip", ["netns", "exec", namespace, "tc", ...args], { what: "shaping" });
  expect(await speed()).toBe(null);
  await tc("qdisc", "add", "dev", "far0", "root", "tbf", "rate", "1gbit", "burst", "256k", "latency", "50ms");
  expect(await speed()).toBe(1e9);
  await tc("qdisc", "replace", "dev", "far0", "root", "handle", "1:", "htb", "default", "1");
  await tc(
    "class",
    "add",
    "dev",
    "far0",
    "parent",
    "1:",
    "classid",
    "1:1",
    "htb",
    "rate",
    "200mbit",
    "ceil",
    "800mbit",
  );
  expect(await speed()).toBe(8e8);
  const links = (await call("linkFacts")).value as LinkFacts[];
  expect(links.map(({ name }) => name).sort()).toEqual(["br-jumbo", "br-plain", "far0", "up0"]);
  const states = (await call("linkStates")).value as LinkState[];
  expect(states.map(({ name, up }) => [name, up]).sort()).toEqual([
    ["br-jumbo", false], // no port carries
    ["br-plain", true],
    ["far0", true],
    ["up0", true],
  ]);
  expect(states.every(({ traffic }) => traffic !== null)).toBe(true);
});

test("a tap's name fits the kernel's 15 characters and tells VMs and NICs apart", () => {
  fc.assert(
    fc.property(fc.uuid(), fc.uuid(), fc.nat(7), fc.nat(7), (a, b, i, j) => {
      expect(tapName(a, i)).toMatch(/^gw[0-9a-f]{10}\d$/);
      expect(tapName(a, i) === tapName(b, j)).toBe(a.slice(0, 11) === b.slice(0, 11) && i === j);
    }),
  );
});

test("an IPv6 address is the same 32 digits however it is written", () => {
  const digits = "20010db800000000000000000a090801";
  for (const text of ["2001:db8::a09:801", "2001:0DB8:0:0:0:0:0A09:0801", "2001:db8::10.9.8.1"]) {
    expect(hexOf(text)).toBe(digits);
  }
  expect([hexOf("::"), hexOf("1::"), hexOf("::1")]).toEqual([
    "0".repeat(32),
    `0001${"0".repeat(28)}`,
    `${"0".repeat(31)}1`,
  ]);
});

test("the ceiling of an htb shaper is that of its widest root class", () => {
  expect(htbCeiling("")).toBe(null);
  expect(
    htbCeiling(
      "class htb 1:10 parent 1:1 prio 0 rate 400Mbit ceil 9Gbit burst 1600b\nclass htb 1:1 root rate 500Mbit ceil 800Mbit burst 1500b\nclass htb 1:2 root prio 0 rate 1500Kbit ceil 2.5Gbit burst 1b\n",
    ),
  ).toBe(2.5e9);
});

test("the kernel's counters are told by interface, whether a figure touches the name's colon or not", () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:  100       1    0    0    0     0          0         0      200       2    0    0    0     0       0          0
eth1.7:4000000000 3 0 0 0 0 0 0 5000000000 4 0 0 0 0 0 0
`;
  expect(Object.fromEntries(parseTraffic(text))).toEqual({
    lo: { receivedBytes: 100, sentBytes: 200 },
    "eth1.7": { receivedBytes: 4_000_000_000, sentBytes: 5_000_000_000 },
  });
});

/**
 * What a guest sends, written into its tap as QEMU would write it, and whether it arrives outside: of each frame 50, since a few of the
 * kernel's own may come between. After them come 50 longer ones that arrive whatever the rules are: on one CPU none overtakes another.
 */
async function passes(tapName: string, frames: readonly string[]): Promise<boolean[]> {
  const script = `
    open my $tun, '+<', '/dev/net/tun' or die "tun: $!\\n";
    my ($name, $last) = (shift, pack 'H*', shift);
    my $request = pack 'Z16 S x22', $name, 0x1002;    # IFF_TAP, IFF_NO_PI
    ioctl $tun, 0x400454ca, $request or die "TUNSETIFF: $!\\n";
    # The port is up only while somebody has it open, and a moment after that.
    for (my $state = 0; $state != 3;) {
      open my $file, '<', "/sys/class/net/$name/brport/state"; $state = 0 + <$file>;
      select undef, undef, undef, 0.05 }
    sub arrived { open my $file, '<', "/sys/class/net/far0/statistics/rx_$_[0]"; return 0 + <$file> }
    sub sent { for (1 .. 50) { syswrite $tun, $_[0] or die "write: $!\\n" } }
    for my $frame (@ARGV) {
      my ($packets, $bytes) = (arrived('packets'), arrived('bytes'));
      sent(pack 'H*', $frame);
      sent($last);
      select undef, undef, undef, 0.02 while arrived('bytes') - $bytes < 50 * length $last;
      print arrived('packets') - $packets >= 80 ? "1\\n" : "0\\n";
    }`;
  const last = ipv4(own, "00000000", "00440043", "ffffffff", 986).padEnd(2000, "0"); // DHCP
  const { stdout } = await run(
    "ip",
    [
      "netns",
      "exec",
      namespace,
      "taskset",
      "-c",
      await oneCpu(),
      "perl",
      "-e",
      script,
      tapName,
      last,
      ...frames,
    ],
    { what: "sending frames", timeoutMs: 240_000 },
  );
  return stdout
    .split("\n")
    .slice(0, frames.length)
    .map((line) => line === "1");
}
/** A CPU that this process may use. */
const oneCpu = async (): Promise<string> =>
  /^Cpus_allowed_list:\s*(\d+)/m.exec(await readFile("/proc/self/status", "utf8"))?.[1] ?? "0";
/** @param expected frames, and whether each arrives */
async function expectPassing(
  tapName: string,
  expected: readonly (readonly [string, boolean])[],
): Promise<void> {
  const passed = await passes(
    tapName,
    expected.map(([frame]) => frame),
  );
  expect(expected.map(([frame], index) => [frame, passed[index]])).toEqual(expected);
}
const hex = (mac: string): string => mac.replaceAll(":", "");
const padded = (frame: string): string => frame.padEnd(120, "0");
/** An ARP announcement: the frame's source, and who the message says that it is from. */
const arp = (source: string, sender: string): string =>
  padded(`ffffffffffff${hex(source)}08060001080006040001${hex(sender)}0a0908010000000000000a090801`);
/** What QEMU sends to announce a guest that has moved: RARP. */
const rarp = (mac: string): string =>
  padded(`ffffffffffff${hex(mac)}80350001080006040003${hex(mac)}00000000${hex(mac)}00000000`);

const own = "52:54:00:00:00:01";
const other = "52:54:00:00:00:02";
/** With a VLAN tag, which the filter must look behind. */
const tagged = (frame: string, tag = "81000007"): string => frame.slice(0, 24) + tag + frame.slice(24);
const word = (value: number): string => value.toString(16).padStart(4, "0");
/** IPv6 to all nodes. @param next the next header's number */
const ipv6 = (source: string, from: string, payload: string, next = 58): string => {
  const head = `60000000${word(payload.length / 2)}${next.toString(16).padStart(2, "0")}ff`;
  return `333300000001${hex(source)}86dd${head}${from}ff02${"0".repeat(27)}1${payload}`;
};
const linkLocalOf = (mac: string): string =>
  `fe80000000000000${hex(mac).replace(/^52(....)(.*)$/, "50$1fffe$2")}`;
/** Neighbour discovery about the sender's own address. @param option of 8 bytes each */
const nd = (type: 133 | 134 | 135 | 136, target: string, ...options: string[]): string =>
  `${type.toString(16)}00000000000000${type < 135 ? (type === 134 ? "0".repeat(16) : "") : target}${options.join("")}`;
const sourceOption = (mac: string): string => `0101${hex(mac)}`;
const targetOption = (mac: string): string => `0201${hex(mac)}`;
const nonce = "0e01aabbccddeeff";
/** @param bytes of the packet; what a frame has after it, the bridge cuts off */
const ipv4 = (source: string, from: string, ports = "00350035", to = "0a0908ff", bytes = 32): string => {
  const head = (sum: string): string => `4500${word(bytes)}000100004011${sum}${from}${to}`;
  let sum = 0;
  for (const [part] of head("0000").matchAll(/.{4}/g)) sum += parseInt(part, 16);
  const checksum = word(0xffff - (((sum & 0xffff) + (sum >>> 16)) & 0xffff));
  return padded(`ffffffffffff${hex(source)}0800${head(checksum)}${ports}000c0000`);
};

test("a VM that sends with another's MAC address is not heard, whether in the frame or in ARP; QEMU's announcement is", async () => {
  const name = tapName("1f3a5b7c-9d1e-4000-8000-000000000000", 0);
  await ip("link", "set", "br-plain", "up");
  await call("createTap", { name, bridge: "br-plain", owner: "nobody" });
  const passed = async (frame: string) => (await passes(name, [frame]))[0];
  expect(await passed(arp(other, other))).toBe(true); // without the filter

  expect(await call("portSecurityProblem")).toMatchObject({ value: null });
  expect(await call("securePorts", [{ tap: name, mac: other, addresses: null }])).toMatchObject({
    value: null,
  });
  expect(await call("securePorts", [{ tap: name, mac: own, addresses: null }])).toMatchObject({
    value: null,
  });
  const from = linkLocalOf(own);
  const hidden = `3a00000000000000${nd(136, from, targetOption(other))}`;
  await expectPassing(name, [
    [arp(other, other), false],
    [arp(own, other), false],
    [rarp(other), false],
    [arp(own, own), true],
    [rarp(own), true],
    // Behind a VLAN's tag, and behind two.
    [tagged(arp(own, other)), false],
    [tagged(arp(own, own)), true],
    [tagged(tagged(arp(own, other)), "88a80007"), false],
    // IPv6's neighbour discovery; also behind destination options.
    [ipv6(own, from, hidden, 60), false],
    [tagged(ipv6(own, from, nd(136, from, targetOption(other)))), false],
  ]);
  await expectPassing(
    name,
    (
      [
        [nd(136, from, targetOption(own)), true],
        [nd(136, from, targetOption(other)), false],
        [nd(136, from, nonce, targetOption(other)), false],
        [nd(136, from), true],
        [nd(135, from, sourceOption(own)), true],
        [nd(135, from, sourceOption(own), nonce), true],
        [nd(135, from, nonce), true],
        [nd(135, from, sourceOption(other)), false],
        [nd(135, from, nonce, sourceOption(other)), false],
        [nd(133, "", sourceOption(own)), true],
        [nd(133, "", sourceOption(other)), false],
        [nd(134, ""), false],
        ["8000000000010001", true], // a ping
      ] as const
    ).map(([message, right]) => [ipv6(own, from, message), right]),
  );

  // As a VM's stop and the end of its process do it at the same time.
  for (const one of await Promise.all([1, 2, 3].map(() => call("releasePorts", [name])))) {
    expect(one).toMatchObject({ value: null });
  }
  expect(await call("releasePorts", [name])).toMatchObject({ value: null });
  expect(await passed(arp(other, other))).toBe(true);
  await call("deleteTap", name);
});

test("a VM whose addresses are listed sends from these only: in ARP, IPv4, IPv6 and neighbour discovery", async () => {
  const name = tapName("2f3a5b7c-9d1e-4000-8000-000000000000", 0);
  await ip("link", "set", "br-plain", "up");
  await call("createTap", { name, bridge: "br-plain", owner: "nobody" });
  const passed = async (frame: string) => (await passes(name, [frame]))[0];
  const given = "fd00000000000000000000000000000a";
  const victim = "fd00000000000000000000000000000b";
  const port = { tap: name, mac: own, addresses: ["10.9.8.1", "FD00::0:A"] };

  expect(await call("securePorts", [{ ...port, addresses: ["10.9.8.2"] }])).toMatchObject({ value: null });
  expect(await passed(arp(own, own))).toBe(false);
  expect(await call("securePorts", [port])).toMatchObject({ value: null });
  expect(await call("securePorts", [port])).toMatchObject({ value: null });
  const unspecified = "0".repeat(32);
  await expectPassing(name, [
    [arp(own, own), true], // from 10.9.8.1
    [arp(own, own).replace("0a090801", "0a090802"), false],
    [arp(own, own).replace("0a090801", "00000000"), true], // a probe
    [arp(other, own), false],
    [tagged(arp(own, own).replace("0a090801", "0a090802")), false],
    [ipv4(own, "0a090801"), true],
    [ipv4(own, "0a090802"), false],
    [tagged(ipv4(own, "0a090802")), false],
    [ipv4(own, "00000000", "00440043", "ffffffff"), true], // DHCP
    [ipv4(own, "00000000"), false],
    [ipv6(own, given, "8000000000010001"), true],
    [ipv6(own, victim, "8000000000010001"), false],
    [ipv6(own, linkLocalOf(own), "8000000000010001"), true],
    [ipv6(own, linkLocalOf(other), "8000000000010001"), false],
    [ipv6(own, given, nd(136, given, targetOption(own))), true],
    [ipv6(own, given, nd(136, victim, targetOption(own))), false],
    [ipv6(own, unspecified, nd(135, given, nonce)), true], // duplicate address detection
    [ipv6(own, unspecified, nd(135, victim, nonce)), false],
    [ipv6(own, given, nd(135, victim, sourceOption(own))), true], // who has it?
    [ipv6(own, unspecified, "8000000000010001"), false],
  ]);

  // With MAC addresses of any kind, and still these IP addresses only.
  expect(await call("securePorts", [{ ...port, mac: null }])).toMatchObject({ value: null });
  expect(await passed(ipv4(other, "0a090801"))).toBe(true);
  expect(await passed(ipv4(other, "0a090802"))).toBe(false);
  expect(await call("releasePorts", [name])).toMatchObject({ value: null });
  expect(await passed(ipv4(own, "0a090802"))).toBe(true);
  await call("deleteTap", name);
});

test("what holds a stream up: the time in which something was on its way, but for that in which its receiver did not read", () => {
  const line = (times: string) =>
    `ESTAB 0 0 10.87.1.1:53066 10.87.1.2:49152\n\t bbr rto:204 bytes_sent:50085451 ${times}retrans:0/2 minrtt:0.008`;
  expect(busyIn(line("busy:380ms rwnd_limited:344ms(90.5%) "))).toBe(36);
  expect(busyIn(line("busy:380ms sndbuf_limited:12ms(3.2%) "))).toBe(380);
  expect(busyIn(line(""))).toBe(0);
  expect(busyIn("")).toBe(null);
});
