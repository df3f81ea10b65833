/**
 * Port groups with VLANs on a kernel whose bridges filter by VLAN, which this machine's need not: Debian's, emulated. Two hosts are
 * namespaces there, joined by a trunk; what the agent would do for their switches is done, and guests try to reach each other. A bond
 * is made there too, for its driver.
 */
import { chmod, copyFile, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { copyProgram, firstOf, packageBehind, unpackPackages, withLibraries } from "@godwit/debian";
import { findQemus } from "@godwit/lab";
import { run } from "@godwit/system";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readBond } from "../../packages/network/src/bonds.ts";
import { interfacesIn, portVlansIn } from "../../packages/network/src/iproute.ts";
import { entryIn, learningIn, learningOf } from "../../packages/network/src/learned-macs.ts";
import { lookUp } from "../../packages/network/src/port-groups.ts";
import { planSwitches, type FoundLink, type WantedSwitch } from "../../packages/network/src/switch-plan.ts";
import { linksOf } from "../../packages/network/src/switches.ts";

let work: string;
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "godwit-vlans-"));
});
afterAll(async () => {
  await rm(work, { recursive: true, force: true });
});

/** In VLAN order; each host has a guest in each. */
const vlans = [0, 20, 30];
const guests = ["a", "b"].flatMap((host, at) =>
  vlans.map((vlan, index) => ({
    name: `${host}${String(vlan)}`,
    host,
    vlan,
    address: `10.0.0.${String(10 * at + index + 10)}`,
  })),
);

test("guests reach those of their VLAN on both hosts and no others, also not with a tag of their own", async () => {
  const script = [
    "#!/bin/busybox sh",
    "/bin/busybox mount -t proc proc /proc; /bin/busybox mount -t sysfs sysfs /sys; /bin/busybox mount -t devtmpfs devtmpfs /dev",
    "/bin/busybox --install -s /bin 2>/dev/null",
    "export PATH=/usr/sbin:/sbin:/usr/bin:/bin",
    "mkdir -p /run/netns /tmp",
    "for module in bridge veth 8021q bonding; do modprobe $module || echo NO MODULE $module; done",
    ...["a", "b"].flatMap((host) => [`ip netns add ${host}`]),
    "ip -n a link add eth1 type veth peer name eth1 netns b",
    ...guests.flatMap(({ name, host, address }) => [
      `ip netns add ${name}`,
      `ip -n ${host} link add ${tapOf(name)} type veth peer name eth0 netns ${name}`,
      `ip -n ${host} link set ${tapOf(name)} up`,
      `ip -n ${name} link set eth0 up`,
      `ip -n ${name} address add ${address}/24 dev eth0`,
    ]),
    ...["a", "b"].flatMap((host) => batches(host)),
    // A guest in VLAN 20, and one without a VLAN, send with the tag 30.
    ...["a20", "a0"].flatMap((name, index) => [
      `ip -n ${name} link add link eth0 name eth0.30 type vlan id 30`,
      `ip -n ${name} link set eth0.30 up`,
      `ip -n ${name} address add 10.0.1.${String(index + 1)}/24 dev eth0.30`,
    ]),
    "ip -n b30 address add 10.0.1.30/24 dev eth0",
    "echo BEGIN",
    ...guests.flatMap(({ name: from }) =>
      guests
        .filter(({ name }) => name !== from)
        // All at once, on a machine that is emulated.
        .map(({ name: to, address }) => `${ping(from, address, "eth0", 10)} && echo REACHES ${from} ${to} &`),
    ),
    "wait",
    ...["a20", "a0"].map((from) => `${ping(from, "10.0.1.30", "eth0.30")} && echo HOPS ${from}`),
    // What b's bridge has learned of a guest of a's in VLAN 20 and in none, in its VLAN and in another.
    ...[
      ["a20", 20],
      ["a0", 4094],
      ["a20", 30],
    ].flatMap(([guest, vid]) => [
      `mac=$(/etc/ip netns exec ${String(guest)} cat /sys/class/net/eth0/address)`,
      `echo ENTRY ${String(guest)} ${String(vid)}`,
      `ip netns exec b bridge -json fdb get $mac br gs-lan vlan ${String(vid)} 2>&1`,
    ]),
    // A bond of two cards, of which one loses its link.
    ...["c1", "c2"].flatMap((card) => [
      `ip link add name ${card} type veth peer name far-${card}`,
      `ip link set dev far-${card} up`,
    ]),
    "ip link add name bond7 type bond mode active-backup miimon 100",
    ...["c1", "c2"].map((card) => `ip link set dev ${card} master bond7`),
    "ip link set dev bond7 up",
    "sleep 1",
    "ip link set dev far-c1 down",
    "for wait in 1 2 3 4 5 6 7 8 9 10; do grep -q down /sys/class/net/c1/bonding_slave/mii_status && break; sleep 1; done",
    "for file in bond7/bonding/mode bond7/bonding/slaves bond7/bonding/active_slave c1/bonding_slave/mii_status c2/bonding_slave/mii_status; do echo FILE $file $(cat /sys/class/net/$file); done",
    "echo LINKS",
    "ip -n b -json -details address show",
    "echo VLANS",
    "ip netns exec b bridge -json vlan show",
    "echo",
    "echo END",
    "poweroff -f",
  ].join("\n");
  const output = await boot(script.replaceAll(/(^|(?<=exec \w+ ))(ip|bridge) /gm, "/etc/$2 "));
  const told = output.slice(output.indexOf("BEGIN"), output.indexOf("END"));
  const reached = [...told.matchAll(/REACHES (\S+) (\S+)/g)].map(
    ([, from, to]) => `${from ?? ""} ${to ?? ""}`,
  );
  const expected = guests.flatMap((from) =>
    guests
      .filter((to) => to.name !== from.name && to.vlan === from.vlan)
      .map((to) => `${from.name} ${to.name}`),
  );
  expect(output).not.toContain("NO MODULE");
  expect(reached.sort(), output).toEqual(expected.sort());
  expect(told).not.toContain("HOPS");

  // As the kernel then tells it, nothing is left to do, and the agent's restart does nothing.
  const [, links = "", tags = ""] = /LINKS\s+(\[.*\])\s+VLANS\s+(\[.*\])/s.exec(told) ?? [];
  const found = linksOf(interfacesIn(links), portVlansIn(tags));
  const asTaps = found.map((link) => (link.name.startsWith("gw") ? { ...link, kind: "tun" } : link));
  expect(planSwitches(wantedOn("b"), asTaps)).toEqual({ steps: [], refused: [] });

  // What the agent takes the forwarding database for, after guests have talked.
  const definition = { name: "web", switch: "lan", vlan: 20, allowForgedTransmits: false };
  const inB = interfacesIn(links);
  const group = { ...definition, bridge: "gs-lan", uplink: "eth1", definition };
  expect(learningIn(lookUp(group, inB))).toEqual({ vlan: 20 });
  const entryOf = (guest: string, vid: number) =>
    new RegExp(`ENTRY ${guest} ${String(vid)}\\s+([^\\r\\n]*)`).exec(told)?.[1] ?? "";
  for (const [guest, vid] of [
    ["a20", 20],
    ["a0", 4094],
  ] as const)
    expect(learningOf(entryIn(entryOf(guest, vid)) ?? null, inB), told).toBe("learned");
  expect(entryOf("a20", 30)).toBe("Error: Fdb entry not found.");

  // The kernel's files of the bond, as the agent reads them.
  const files = [...told.matchAll(/FILE (\S+) ?([^\r\n]*)/g)];
  expect(files, told).toHaveLength(5);
  for (const [, path = "", text = ""] of files) {
    await mkdir(join(work, "sys", path, ".."), { recursive: true });
    await writeFile(join(work, "sys", path), `${text}\n`);
  }
  expect(await readBond("bond7", join(work, "sys"))).toEqual({
    ...{ mode: "active-backup", active: "c2" },
    ports: [
      { name: "c1", up: false },
      { name: "c2", up: true },
    ],
  });
});

const tapOf = (name: string): string => `gw${name}`;
const ping = (from: string, address: string, device = "eth0", seconds = 4): string =>
  `ip netns exec ${from} ping -q -c 2 -W ${String(seconds)} -I ${device} ${address} >/dev/null 2>&1`;

const guestsOf = (host: string) => guests.filter((guest) => guest.host === host);
/** A switch with all these guests. */
const wantedOn = (host: string): WantedSwitch[] => [
  {
    ...{ name: "lan", uplink: "eth1", mtu: 1500, vlans, filtersVlans: true },
    taps: guestsOf(host).map(({ name, vlan }) => ({ name: tapOf(name), vlan })),
  },
];

/** What the agent of a host does for it. */
function batches(host: string): string[] {
  const link = (name: string, kind: string | null): FoundLink => ({
    ...{ name, kind, isLoopback: false, alias: null, master: null, lower: null, isOn: true, mtu: 1500 },
    ...{ addresses: [], filtersVlans: false, vlans: [] },
  });
  const taps = guestsOf(host).map(({ name }) => link(tapOf(name), "tun"));
  const { steps, refused } = planSwitches(wantedOn(host), [{ ...link("eth1", null), isOn: false }, ...taps]);
  expect(refused).toEqual([]);
  return steps.flatMap(({ steps: { ip, bridge } }) => [
    ...ip.map((line) => `ip -n ${host} ${line}`),
    ...bridge.map((line) => `ip netns exec ${host} bridge ${line}`),
  ]);
}

/** @returns all that the script writes to the console */
async function boot(script: string): Promise<string> {
  const [packages, kernel, root] = ["packages", "kernel", "root"].map((name) => join(work, name)) as [
    string,
    string,
    string,
  ];
  await unpackPackages(
    [await packageBehind("linux-image-cloud-amd64", /^linux-image-\d.*-cloud-amd64$/)],
    kernel,
  );
  await unpackPackages(await withLibraries(["iproute2", "busybox-static"]), packages);
  for (const folder of ["bin", "usr/bin", "dev", "proc", "sys", "etc", "lib64"])
    await mkdir(join(root, folder), { recursive: true });
  const busybox = join(root, "bin/busybox");
  await copyFile(await firstOf(packages, ["bin/busybox", "usr/bin/busybox"]), busybox);
  // Busybox's shell prefers its own programs to those of the same name: these are called by a path.
  for (const name of ["ip", "bridge"]) {
    const folders = ["bin", "usr/bin", "sbin", "usr/sbin"];
    const path = await firstOf(
      packages,
      folders.map((folder) => `${folder}/${name}`),
    );
    await copyProgram(packages, path.slice(packages.length + 1), root);
    await symlink(`/${path.slice(packages.length + 1)}`, join(root, "etc", name));
  }
  await writeFile(join(root, "init"), `${script}\n`);
  await chmod(join(root, "init"), 0o755);
  const modules = await firstOf(kernel, ["lib/modules", "usr/lib/modules"]);
  const [version = ""] = await readdir(modules);
  const tree = join(root, "lib/modules", version);
  const files = await readdir(join(modules, version), { recursive: true });
  for (const name of files.filter((file) =>
    /\/(bridge|veth|8021q|stp|llc|garp|mrp|bonding|tls)\.ko(\.xz)?$/.test(file),
  )) {
    await mkdir(dirname(join(tree, name)), { recursive: true });
    await copyFile(join(modules, version, name), join(tree, name));
    if (name.endsWith(".xz")) await run("xz", ["-d", join(tree, name)], { what: `unpacking module ${name}` });
  }
  for (const name of ["modules.builtin", "modules.order"])
    await copyFile(join(modules, version, name), join(tree, name));
  await run(busybox, ["depmod", "-b", root, version], { what: "indexing the modules" });
  const initrd = join(work, "initrd");
  await run("sh", ["-c", 'cd "$1" && find . | cpio --quiet -o -H newc -R 0:0 >"$2"', "pack", root, initrd], {
    what: "packing the root",
    timeoutMs: 120_000,
  });
  const [image = ""] = (await readdir(join(kernel, "boot"))).filter((name) => name.startsWith("vmlinuz-"));
  const [qemu] = await findQemus();
  const { stdout } = await run(
    qemu?.binary ?? "qemu-system-x86_64",
    [
      ...["-accel", "tcg", "-m", "512", "-nodefaults", "-no-reboot", "-nographic", "-serial", "stdio"],
      ...["-kernel", join(kernel, "boot", image), "-initrd", initrd],
      ...["-append", "console=ttyS0 quiet panic=-1"],
    ],
    { what: "booting the kernel", timeoutMs: 400_000 },
  );
  return stdout;
}
