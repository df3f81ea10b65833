/**
 * What `ip` and `tc` tell about the interfaces of this network namespace, checked by schema.
 * Only the fields that Godwit reads are declared; unknown ones are let through unseen.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { normalAddress } from "@godwit/contract";
import { run } from "@godwit/system";
import { z } from "zod";
import type { PortVlan } from "./switch-plan.ts";
import type { Remote } from "./tunnel-plan.ts";

/** By name, or by number where it has none. */
const ownerSchema = z.union([z.string(), z.number()]).transform(String);

const interfaceSchema = z.object({
  ifname: z.string(),
  flags: z.array(z.string()),
  mtu: z.number().int(),
  master: z.string().optional(),
  ifalias: z.string().optional(),
  /** Of its own queue. */
  qdisc: z.string().optional(),
  /** What it lies on; of a veth, its other end. */
  link: z.string().optional(),
  linkinfo: z
    .object({
      info_kind: z.string().optional(),
      /** What it is a port of. */
      info_slave_kind: z.string().optional(),
      /** Of a bridge's port; a bond's has other things there. */
      info_slave_data: z
        .object({
          state: z.string().optional(),
          learning: z.boolean().optional(),
          locked: z.boolean().optional(),
        })
        .optional()
        .catch(undefined),
      info_data: z
        .object({
          type: z.string().optional(),
          user: ownerSchema.optional(),
          vlan_filtering: z.number().optional(),
          vlan_default_pvid: z.number().optional().catch(undefined),
          /** Of a bridge, in hundredths of a second. */
          ageing_time: z.number().optional().catch(undefined),
          // Of a VXLAN tunnel.
          id: z.number().optional(),
          port: z.number().optional(),
          local: z.string().optional(),
          local6: z.string().optional(),
        })
        .optional(),
    })
    .optional(),
  addr_info: z
    .array(
      z.object({
        local: z.string().transform(normalAddress).optional(),
        prefixlen: z.number().int().optional(),
      }),
    )
    .default([]),
});
export type Interface = z.infer<typeof interfaceSchema>;

const vlanSchema = z.object({
  vlan: z.number().int(),
  /** Of a range: the last. */
  vlanEnd: z.number().int().optional(),
  flags: z.array(z.string()).default([]),
});
const portVlansSchema = z.object({ ifname: z.string(), vlans: z.array(vlanSchema).default([]) });

const qdiscSchema = z.object({
  dev: z.string(),
  kind: z.string(),
  root: z.boolean().optional(),
  options: z.object({ rate: z.number().optional() }).optional(),
});

let listing: Promise<Interface[]> | null = null;
let underWay: Promise<Interface[]> | null = null;

/** All interfaces with their addresses, as they are after the call: those who ask in the same turn of the event loop share one look. */
export async function listInterfaces(): Promise<Interface[]> {
  listing ??= setImmediate().then(() => {
    listing = null; // who asks from here on gets a later look
    const look = readInterfaces();
    underWay = look;
    const ended = () => {
      if (underWay === look) underWay = null;
    };
    look.then(ended, ended);
    return look;
  });
  return await listing;
}

/** The same for reports, of which several are often asked for at once: also by a look that began since this program's last change. */
export async function interfacesNow(): Promise<Interface[]> {
  return await (underWay ?? listInterfaces());
}

/** Changes interfaces: lines of `ip -batch`, up to the first that is refused. @throws PROGRAM_FAILED, PROGRAM_MISSING */
export async function changeInterfaces(lines: readonly string[], what: string): Promise<void> {
  try {
    await run("ip", ["-batch", "-"], { what, input: `${lines.join("\n")}\n` });
  } finally {
    underWay = null;
  }
}

async function readInterfaces(): Promise<Interface[]> {
  const { stdout } = await run("ip", ["-json", "-details", "address", "show"], {
    what: "listing the network interfaces",
  });
  return interfacesIn(stdout);
}

/** @param json of `ip -json -details address show` */
export const interfacesIn = (json: string): Interface[] => z.array(interfaceSchema).parse(JSON.parse(json));

/** The VLANs of each port of a bridge that filters by VLAN. */
export async function listPortVlans(): Promise<Map<string, PortVlan[]>> {
  const { stdout } = await run("bridge", ["-json", "vlan", "show"], { what: "listing the VLANs of ports" });
  return portVlansIn(stdout);
}

/** @param json of `bridge -json vlan show`, which may print nothing where there are none */
export function portVlansIn(json: string): Map<string, PortVlan[]> {
  const ports = z.array(portVlansSchema).parse(JSON.parse(json.trim() === "" ? "[]" : json));
  return new Map(
    ports.map(({ ifname, vlans }) => [
      ifname,
      vlans.flatMap(({ vlan, vlanEnd = vlan, flags }) =>
        Array.from({ length: vlanEnd - vlan + 1 }, (_, index) => ({
          vid: vlan + index,
          untagged: flags.includes("PVID") && flags.includes("Egress Untagged"),
        })),
      ),
    ]),
  );
}

const remoteSchema = z.object({
  mac: z.string().regex(/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/),
  dst: z.string().transform(normalAddress).optional(),
});

/** The entries of a tunnel's forwarding database that lead to another host. */
export async function remotesOf(device: string): Promise<Remote[]> {
  const { exitCode, stdout } = await run("bridge", ["-json", "fdb", "show", "dev", device], {
    what: `looking at whom tunnel ${device} leads to`,
    okCodes: [0, 1, 255],
  });
  if (exitCode !== 0) return []; // removed meanwhile
  const entries = z.array(remoteSchema).parse(JSON.parse(stdout.trim() === "" ? "[]" : stdout));
  return entries.flatMap(({ mac, dst }) => (dst === undefined ? [] : [{ mac, address: dst }]));
}

/** The interface of this name, or null. */
export async function findInterface(name: string): Promise<Interface | null> {
  return (await listInterfaces()).find((found) => found.ifname === name) ?? null;
}

const shapers: ReadonlySet<string> = new Set(["tbf", "htb"]);

/** The shaped rate of each of these interfaces that has a shaper (tbf or htb) at its root. */
export async function shapedBitsPerSecond(interfaces: readonly Interface[]): Promise<Map<string, number>> {
  if (!interfaces.some(({ qdisc = "" }) => shapers.has(qdisc))) return new Map();
  const { stdout } = await run("tc", ["-json", "qdisc", "show"], { what: "listing traffic shapers" });
  const rates = new Map<string, number>();
  for (const qdisc of z.array(qdiscSchema).parse(JSON.parse(stdout))) {
    if (qdisc.root !== true) continue;
    if (qdisc.kind === "tbf" && qdisc.options?.rate !== undefined)
      rates.set(qdisc.dev, qdisc.options.rate * 8);
    if (qdisc.kind === "htb") {
      const ceiling = htbCeiling(await classesOf(qdisc.dev));
      if (ceiling !== null) rates.set(qdisc.dev, ceiling);
    }
  }
  return rates;
}

/** Of an interface that was removed meanwhile there are none. */
async function classesOf(dev: string): Promise<string> {
  try {
    // `tc -json class show` prints plain text all the same (iproute2 6.1).
    return (await run("tc", ["class", "show", "dev", dev], { what: `reading the shaper of ${dev}` })).stdout;
  } catch (error) {
    if (existsSync(`/sys/class/net/${dev}`)) throw error;
    return "";
  }
}

const unitBits: Record<string, number> = { bit: 1, Kbit: 1e3, Mbit: 1e6, Gbit: 1e9, Tbit: 1e12 };

/** The most that an htb shaper lets through, from `tc class show`: the highest ceiling of its root classes. */
export function htbCeiling(classes: string): number | null {
  const ceilings = [...classes.matchAll(/^class htb \S+ root .*?ceil (\d+(?:\.\d+)?)([KMGT]?bit)\b/gm)].map(
    ([, number, unit]) => Number(number) * (unitBits[unit ?? ""] ?? Number.NaN),
  );
  return ceilings.length === 0 ? null : Math.max(...ceilings);
}

/** The speed that the interface's driver states; null where it has none to state. */
export async function driverBitsPerSecond(found: Interface): Promise<number | null> {
  // Virtual pairs and taps state 10 Gbit/s, which nothing stands behind; so does a bridge for them.
  if (["veth", "tun", "bridge"].includes(found.linkinfo?.info_kind ?? "")) return null;
  try {
    const megabits = Number(await readFile(`/sys/class/net/${found.ifname}/speed`, "utf8"));
    return megabits > 0 ? megabits * 1e6 : null;
  } catch {
    return null; // the kernel answers EINVAL for a link that is down or has no speed
  }
}
