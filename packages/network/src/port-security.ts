/**
 * A VM sends only with the MAC address that it was given: what its tap brings with another one, as the frame's source
 * or as the sender of an ARP message, the bridge never sees, and so never learns. vSphere's names for what is rejected
 * are forged transmits and MAC address changes. The filter is one table of nftables for all taps of this network
 * namespace; a tap is in its sets from before QEMU opens it until it is removed.
 */
import { GodwitError } from "@godwit/contract";
import { run } from "@godwit/system";
import { z } from "zod";

export interface SecuredPort {
  tap: string;
  mac: string;
}

const table = "bridge godwit";
/** Put in its place whole each time, and in one transaction: what others did to it does not last. */
const rules = `
add table ${table}
add set ${table} taps { type ifname; }
add set ${table} addresses { type ifname . ether_addr; }
add chain ${table} from_vms { type filter hook prerouting priority -300; policy accept; }
flush chain ${table} from_vms
add rule ${table} from_vms iifname != @taps accept
add rule ${table} from_vms iifname . ether saddr != @addresses drop
add rule ${table} from_vms ether type arp iifname . arp saddr ether != @addresses drop
add rule ${table} from_vms ether daddr 01:80:c2:00:00:00 drop comment "spanning tree is the switches' affair"
`;

/** Only these addresses may be sent from by these taps. @throws PROGRAM_MISSING, PROGRAM_FAILED */
export async function securePorts(ports: readonly SecuredPort[]): Promise<void> {
  if (ports.length === 0) return;
  const taps = ports.map(({ tap }) => quoted(tap));
  const addresses = ports.map(({ tap, mac }) => `${quoted(tap)} . ${mac}`);
  const stale = await elementsOf(new Set(ports.map(({ tap }) => tap)));
  const script = [
    rules,
    ...removal(stale),
    `add element ${table} taps { ${taps.join(", ")} }`,
    `add element ${table} addresses { ${addresses.join(", ")} }`,
    "",
  ].join("\n");
  await nft(["-f", "-"], `limiting what ${taps.join(", ")} may send`, script);
}

/** For taps that are removed, or whose VMs may send what they like. @throws PROGRAM_FAILED */
export async function releasePorts(taps: readonly string[]): Promise<void> {
  const elements = await elementsOf(new Set(taps)).catch((error: unknown) => {
    if (GodwitError.is(error, "PROGRAM_MISSING")) return []; // then nothing was limited
    throw error;
  });
  if (elements.length === 0) return;
  await nft(["-f", "-"], `forgetting what ${taps.join(", ")} may send`, `${removal(elements).join("\n")}\n`);
}

/** Why VMs' ports cannot be limited on this host, in words; null: they can. */
export async function portSecurityProblem(): Promise<string | null> {
  try {
    await nft(["--check", "-f", "-"], "trying the filter of VMs' ports", rules);
    return null;
  } catch (error) {
    if (!GodwitError.is(error)) throw error;
    if (error.code === "PROGRAM_MISSING") return "nft is not installed";
    return String(error.problem.details.output);
  }
}

interface Element {
  set: "taps" | "addresses";
  text: string;
}

const addressSchema = z.object({ concat: z.tuple([z.string(), z.string()]) });
const listSchema = z.object({
  nftables: z.array(
    z.looseObject({ set: z.looseObject({ elem: z.array(z.unknown()).optional() }).optional() }),
  ),
});

/** What stands in the sets about these taps. Where there is no table nothing does. */
async function elementsOf(taps: ReadonlySet<string>): Promise<Element[]> {
  const read = async (set: Element["set"]): Promise<unknown[]> => {
    const args = ["-j", "list", "set", ...table.split(" "), set];
    const { exitCode, stdout } = await nft(args, "looking at the filter of VMs' ports", undefined, [0, 1]);
    if (exitCode !== 0) return [];
    return listSchema.parse(JSON.parse(stdout)).nftables.flatMap((part) => part.set?.elem ?? []);
  };
  const [names, addresses] = await Promise.all([read("taps"), read("addresses")]);
  return [
    ...names.flatMap((name): Element[] =>
      typeof name === "string" && taps.has(name) ? [{ set: "taps", text: quoted(name) }] : [],
    ),
    ...addresses.flatMap((one): Element[] => {
      const parsed = addressSchema.safeParse(one);
      if (!parsed.success || !taps.has(parsed.data.concat[0])) return [];
      const [tap, mac] = parsed.data.concat;
      return [{ set: "addresses", text: `${quoted(tap)} . ${mac}` }];
    }),
  ];
}

/** Added before it is deleted, in the same transaction: one that somebody else has just deleted is no error then. */
const removal = (elements: readonly Element[]): string[] =>
  elements.flatMap(({ set, text }) =>
    ["add", "delete"].map((what) => `${what} element ${table} ${set} { ${text} }`),
  );

const quoted = (name: string): string => `"${name}"`;

const nft = async (args: readonly string[], what: string, input?: string, okCodes?: number[]) =>
  await run("nft", args, {
    what,
    ...(input === undefined ? {} : { input }),
    ...(okCodes === undefined ? {} : { okCodes }),
  });
