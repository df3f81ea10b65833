/**
 * A VM sends only with the MAC address that it was given: what its tap brings with another one, as the frame's source,
 * as the sender of an ARP message or in IPv6's neighbour discovery, the bridge never sees, and so never learns. vSphere's
 * names for what is rejected are forged transmits and MAC address changes. Where its owner lists IP addresses, it sends
 * from these only. The filter is one table of nftables for all taps of this network namespace; a tap is in its sets from
 * before QEMU opens it until it is removed.
 */
import { GodwitError } from "@godwit/contract";
import { run } from "@godwit/system";
import { isNoTable } from "./nft.ts";
import { elementsFor, rules, setNames, table, type Element, type SecuredPort } from "./port-rules.ts";

export type { SecuredPort };

/** What stands in the sets about each tap. */
type Standing = Map<string, readonly Element[]>;

/**
 * Nobody but this program changes the sets, so they are read once and remembered: a move would wait for a look at them. Null:
 * they are to be read. Should somebody have emptied them all the same, `lostPorts` finds it.
 */
let standing: Promise<Standing> | null = null;
/** Changes by this program: how many there were, and are under way. */
const changes = { made: 0, underWay: 0 };

/** Only these addresses may be sent from by these taps. @throws PROGRAM_MISSING, PROGRAM_FAILED */
export async function securePorts(ports: readonly SecuredPort[]): Promise<void> {
  if (ports.length === 0) return;
  const taps = ports.map(({ tap }) => tap);
  const stale = await elementsOf(taps);
  const wanted = new Map(ports.map((port) => [port.tap, elementsFor(port)]));
  const added = [...wanted.values()].flat().map(({ set, text }) => `add element ${table} ${set} { ${text} }`);
  const script = [rules, ...removal(stale), ...added, ""].join("\n");
  await change(script, `limiting what ${taps.join(", ")} may send`, wanted);
}

/** For taps that are removed, or whose VMs may send what they like. @throws PROGRAM_FAILED */
export async function releasePorts(taps: readonly string[]): Promise<void> {
  if (taps.length === 0) return;
  const elements = await elementsOf(taps).catch((error: unknown) => {
    if (GodwitError.is(error, "PROGRAM_MISSING")) return []; // then nothing was limited
    throw error;
  });
  if (elements.length === 0) return;
  const none = new Map(taps.map((tap) => [tap, []]));
  // With the rules: somebody may have removed the table since it was read.
  await change(
    [rules, ...removal(elements), ""].join("\n"),
    `forgetting what ${taps.join(", ")} may send`,
    none,
  );
}

/** In one transaction: all of it is done, or nothing. @param after what stands about each tap then */
async function change(script: string, what: string, after: ReadonlyMap<string, readonly Element[]>) {
  changes.made += 1;
  changes.underWay += 1;
  try {
    await nft(["-f", "-"], what, script);
    const known = await standing;
    for (const [tap, elements] of after) known?.set(tap, elements);
  } catch (error) {
    standing = null; // one that was ended by its time limit may have done it
    throw error;
  } finally {
    changes.underWay -= 1;
  }
}

/**
 * Taps that somebody else let send what they like since this program limited them: they are to be secured again.
 * @throws PROGRAM_MISSING, PROGRAM_FAILED
 */
export async function lostPorts(): Promise<string[]> {
  const [reading, before] = [standing, changes.made];
  if (reading === null || changes.underWay > 0) return [];
  const known = await reading;
  if ([...known.values()].every((elements) => elements.length === 0)) return [];
  const found = await readSets();
  if (changes.made !== before) return []; // the next look tells
  const taps = [...known].flatMap(([tap, elements]) => {
    const there = new Set(found.get(tap)?.map(({ set }) => set));
    return elements.every(({ set }) => there.has(set)) ? [] : [tap];
  });
  if (taps.length > 0) standing = null;
  return taps;
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

async function elementsOf(taps: readonly string[]): Promise<Element[]> {
  const reading = (standing ??= readSets());
  reading.catch(() => {
    if (standing === reading) standing = null;
  });
  const known = await reading;
  return taps.flatMap((tap) => known.get(tap) ?? []);
}

/** Where there is no table nothing stands. @throws PROGRAM_MISSING, PROGRAM_FAILED */
async function readSets(): Promise<Standing> {
  const found: Map<string, Element[]> = new Map();
  const args = ["-n", "list", "table", ...table.split(" ")];
  let stdout: string;
  try {
    ({ stdout } = await nft(args, "looking at the filter of VMs' ports"));
  } catch (error) {
    if (isNoTable(error)) return found;
    throw error; // what stands is not known then, which is not that nothing does
  }
  // As text: nft's JSON tells numbers of 128 bits as JSON numbers.
  for (const set of setNames) {
    const body = new RegExp(`^\\tset ${set} \\{$(.*?)^\\t\\}$`, "ms").exec(stdout)?.[1] ?? "";
    for (const [text, tap = ""] of body.matchAll(/"([^"]+)"(?: \. [0-9a-fx.:]+)?/g))
      found.set(tap, [...(found.get(tap) ?? []), { set, text }]);
  }
  return found;
}

/** Added before it is deleted, in the same transaction: one that somebody else has just deleted is no error then. */
const removal = (elements: readonly Element[]): string[] =>
  elements.flatMap(({ set, text }) =>
    ["add", "delete"].map((what) => `${what} element ${table} ${set} { ${text} }`),
  );

const nft = async (args: readonly string[], what: string, input?: string) =>
  await run("nft", args, { what, ...(input === undefined ? {} : { input }) });
