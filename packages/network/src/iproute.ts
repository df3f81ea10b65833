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

/** By name, or by number where it has none. */
const ownerSchema = z.union([z.string(), z.number()]).transform(String);

const interfaceSchema = z.object({
  ifname: z.string(),
  flags: z.array(z.string()),
  mtu: z.number().int(),
  master: z.string().optional(),
  ifalias: z.string().optional(),
  /** What it lies on; of a veth, its other end. */
  link: z.string().optional(),
  linkinfo: z
    .object({
      info_kind: z.string().optional(),
      info_data: z
        .object({
          type: z.string().optional(),
          user: ownerSchema.optional(),
          vlan_filtering: z.number().optional(),
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

/** All interfaces with their addresses, as they are after the call: those who ask in the same turn of the event loop share one look. */
export async function listInterfaces(): Promise<Interface[]> {
  listing ??= setImmediate().then(() => {
    listing = null; // who asks from here on gets a later look
    return readInterfaces();
  });
  return await listing;
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

/** The interface of this name, or null. */
export async function findInterface(name: string): Promise<Interface | null> {
  return (await listInterfaces()).find((found) => found.ifname === name) ?? null;
}

/** The shaped rate of each interface that has a shaper (tbf or htb) at its root. */
export async function shapedBitsPerSecond(): Promise<Map<string, number>> {
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
