/**
 * The QEMUs that a lab's hosts can run: the machine's own, and one of the release's backports that was unpacked beside
 * it. A lab takes the newest unless it is told otherwise: an emulated guest's memory can be copied in several
 * passes only by QEMU 9.0 and later.
 */
import { stat } from "node:fs/promises";
import { GodwitError } from "@godwit/contract";
import { run } from "@godwit/system";
import { unpackedBinary } from "./unpacked.ts";

export interface LabQemu {
  binary: string;
  /** Like `10.0.2`. */
  version: string;
  /** Where it is from, in words: "this machine's". */
  origin: string;
}

export interface HostQemu {
  name: string;
  qemu: LabQemu;
}

/** What this machine has: the newest first. @throws PROGRAM_MISSING where it has none */
export async function findQemus(): Promise<LabQemu[]> {
  const own = await qemuAt("qemu-system-x86_64", "this machine's");
  const unpacked = await unpackedBinary();
  const found = [own, ...(unpacked === null ? [] : [await qemuAt(unpacked.binary, unpacked.origin)])];
  return found.sort((a, b) => compareVersions(b.version, a.version));
}

/** What a lab's host runs when nothing else is said. @throws PROGRAM_MISSING */
export async function defaultQemu(): Promise<LabQemu> {
  const [newest] = await findQemus();
  if (newest === undefined) throw new TypeError("no QEMU was found");
  return newest;
}

/**
 * @param name a path, or the beginning of a version: `7.2`, `10.0.2`
 * @throws USAGE naming what there is, PROGRAM_FAILED when the path is no QEMU
 */
export async function qemuNamed(name: string): Promise<LabQemu> {
  if (name.includes("/")) {
    const isFile = await stat(name).then(
      (found) => found.isFile(),
      () => false,
    );
    if (isFile) return await qemuAt(name, name);
    throw GodwitError.of("USAGE", {
      what: `There is no QEMU at ${name}.`,
      hint: "Give the path of a qemu-system-x86_64.",
    });
  }
  const all = await findQemus();
  const found = all.find(({ version }) => `${version}.`.startsWith(`${name}.`));
  if (found !== undefined) return found;
  throw GodwitError.of("USAGE", {
    what: `This machine has no QEMU ${name}.`,
    hint: `It has ${all.map(describeQemu).join(" and ")}; another one is named by its path.`,
  });
}

/**
 * The QEMU of each host, in the hosts' order.
 * @param named by the host's name, as `qemuNamed` takes it; who is not named gets the default
 * @throws USAGE, PROGRAM_MISSING, PROGRAM_FAILED
 */
export async function qemusOfHosts(
  hosts: readonly string[],
  named: Readonly<Record<string, string>>,
): Promise<HostQemu[]> {
  const newest = await defaultQemu();
  return await Promise.all(
    hosts.map(async (name) => {
      const wanted = named[name];
      return { name, qemu: wanted === undefined ? newest : await qemuNamed(wanted) };
    }),
  );
}

/** For people: once for all hosts when they have the same. */
export function describeQemus(hosts: readonly HostQemu[]): string {
  const different = new Set(hosts.map(({ qemu }) => describeQemu(qemu)));
  if (different.size === 1) return [...different].join("");
  return hosts.map(({ name, qemu }) => `${describeQemu(qemu)} on ${name}`).join(", ");
}

/** For people: "QEMU 10.0.2 (bookworm-backports)". */
export const describeQemu = ({ version, origin }: LabQemu): string => `QEMU ${version} (${origin})`;

async function qemuAt(binary: string, origin: string): Promise<LabQemu> {
  const { stdout } = await run(binary, ["--version"], { what: "asking QEMU for its version" });
  const version = /version (\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  if (version !== undefined) return { binary, version, origin };
  throw GodwitError.of("PROGRAM_FAILED", { program: binary, what: "telling its version", output: stdout });
}

function compareVersions(one: string, other: string): number {
  const [a, b] = [one, other].map((text) => text.split(".").map(Number));
  for (let index = 0; index < 3; index++) {
    const difference = (a?.[index] ?? 0) - (b?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
