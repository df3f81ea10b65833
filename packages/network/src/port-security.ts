/**
 * A VM sends only with the MAC address that it was given: what its tap brings with another one, as the frame's source,
 * as the sender of an ARP message or in IPv6's neighbour discovery, the bridge never sees, and so never learns. vSphere's
 * names for what is rejected are forged transmits and MAC address changes. Where its owner lists IP addresses, it sends
 * from these only. The filter is one table of nftables for all taps of this network namespace; a tap is in its sets from
 * before QEMU opens it until it is removed.
 */
import { GodwitError } from "@godwit/contract";
import { run } from "@godwit/system";
import { elementsFor, rules, setNames, table, type Element, type SecuredPort } from "./port-rules.ts";

export type { SecuredPort };

/** Only these addresses may be sent from by these taps. @throws PROGRAM_MISSING, PROGRAM_FAILED */
export async function securePorts(ports: readonly SecuredPort[]): Promise<void> {
  if (ports.length === 0) return;
  const taps = ports.map(({ tap }) => tap);
  const stale = await elementsOf(new Set(taps));
  const added = ports.flatMap(elementsFor).map(({ set, text }) => `add element ${table} ${set} { ${text} }`);
  const script = [rules, ...removal(stale), ...added, ""].join("\n");
  await nft(["-f", "-"], `limiting what ${taps.join(", ")} may send`, script);
}

/** For taps that are removed, or whose VMs may send what they like. @throws PROGRAM_FAILED */
export async function releasePorts(taps: readonly string[]): Promise<void> {
  if (taps.length === 0) return;
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

/** What stands in the sets about these taps. Where there is no table nothing does. */
async function elementsOf(taps: ReadonlySet<string>): Promise<Element[]> {
  const args = ["-n", "list", "table", ...table.split(" ")];
  const { exitCode, stdout } = await nft(args, "looking at the filter of VMs' ports", undefined, [0, 1]);
  if (exitCode !== 0) return [];
  // As text: nft's JSON tells numbers of 128 bits as JSON numbers.
  return setNames.flatMap((set) => {
    const body = new RegExp(`^\\tset ${set} \\{$(.*?)^\\t\\}$`, "ms").exec(stdout)?.[1] ?? "";
    return [...body.matchAll(/"([^"]+)"(?: \. [0-9a-fx.:]+)?/g)].flatMap(([text, tap = ""]) =>
      taps.has(tap) ? [{ set, text }] : [],
    );
  });
}

/** Added before it is deleted, in the same transaction: one that somebody else has just deleted is no error then. */
const removal = (elements: readonly Element[]): string[] =>
  elements.flatMap(({ set, text }) =>
    ["add", "delete"].map((what) => `${what} element ${table} ${set} { ${text} }`),
  );

const nft = async (args: readonly string[], what: string, input?: string, okCodes?: number[]) =>
  await run("nft", args, {
    what,
    ...(input === undefined ? {} : { input }),
    ...(okCodes === undefined ? {} : { okCodes }),
  });
