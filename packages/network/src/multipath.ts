/**
 * Several links for one connection (Multipath TCP, RFC 8684): the kernel of a host tells its peers the further addresses that it
 * can be reached at, and joins theirs from its own. Whoever makes a connection must ask for it; all others have TCP as always.
 */
import { readFile } from "node:fs/promises";
import { run } from "@godwit/system";
import { z } from "zod";
import { listInterfaces } from "./iproute.ts";

const endpointsSchema = z.array(z.object({ address: z.string() }));

/**
 * Has the kernel use these addresses beside the one that a connection is made to or from. What an administrator has set stays.
 * @param addresses as `normalAddress` writes them
 * @returns why that cannot be, the end of a sentence; null: it is so
 * @throws PROGRAM_FAILED, PROGRAM_MISSING
 */
export async function offerAddresses(addresses: readonly string[]): Promise<string | null> {
  const enabled = await readFile("/proc/sys/net/mptcp/enabled", "utf8").catch(() => null);
  if (enabled === null) return "the kernel has no Multipath TCP";
  if (enabled.trim() !== "1") return "Multipath TCP is switched off (net.mptcp.enabled is not 1)";
  const interfaces = await listInterfaces();
  const links = new Map(
    interfaces.flatMap(({ ifname, addr_info: own }) =>
      own.flatMap(({ local }) => (local === undefined ? [] : [[local, ifname] as const])),
    ),
  );
  const absent = addresses.find((address) => !links.has(address));
  if (absent !== undefined) return `no interface has ${absent}`;
  const known = new Set((await endpoints()).map(({ address }) => address));
  for (const address of addresses) {
    if (known.has(address)) continue;
    const place = [address, "dev", links.get(address) ?? ""];
    // Offered to who connects, and connected from: each host is the source of some moves and the destination of others.
    await mptcp(["endpoint", "add", ...place, "subflow", "signal"], `offering ${address} to other hosts`);
  }
  await allow(addresses.length);
  return null;
}

async function endpoints(): Promise<z.infer<typeof endpointsSchema>> {
  const stdout = await mptcp(["endpoint", "show"], "looking at what is offered", ["-json"]);
  return endpointsSchema.safeParse(JSON.parse(stdout.trim() === "" ? "[]" : stdout)).data ?? [];
}

/** So many further links of a connection at least. `ip` prints the limits as text, whatever is asked for (iproute2 6.1). */
async function allow(count: number): Promise<void> {
  const text = await mptcp(["limits", "show"], "looking at the limits of Multipath TCP");
  const now = (word: string) => Number(new RegExp(`\\b${word}"?:? (\\d+)`).exec(text)?.[1] ?? 0);
  // One a pair of addresses: who connects joins from its own, and to what it is told.
  const [subflows, accepted] = [Math.min(2 * count, 8), Math.min(count, 8)];
  if (now("subflows") >= subflows && now("add_addr_accepted") >= accepted) return;
  const limits = [
    ...["subflow", String(Math.max(subflows, now("subflows")))],
    ...["add_addr_accepted", String(Math.max(accepted, now("add_addr_accepted")))],
  ];
  await mptcp(["limits", "set", ...limits], "setting the limits of Multipath TCP");
}

const mptcp = async (
  words: readonly string[],
  what: string,
  options: readonly string[] = [],
): Promise<string> => (await run("ip", [...options, "mptcp", ...words], { what })).stdout;
