/** Bonds of this host, as the kernel's driver tells of them in `/sys/class/net/BOND/bonding`: which cards are in one, and which of these carry. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { BondLoad } from "@godwit/contract";

const folderOfLinks = "/sys/class/net";
/** More than a bond could have use for. */
const mostPorts = 64;

/** @returns null: it is no bond, or was removed meanwhile */
export async function readBond(name: string, folder = folderOfLinks): Promise<BondLoad | null> {
  const read = async (...path: string[]) => await textOf(join(folder, ...path));
  const [mode, slaves, active] = await Promise.all(
    ["mode", "slaves", "active_slave"].map((file) => read(name, "bonding", file)),
  );
  if (mode === undefined || mode === null || slaves === undefined || slaves === null) return null;
  const names = wordsOf(slaves).slice(0, mostPorts);
  const ports = await Promise.all(
    names.map(async (port) => ({
      name: port,
      up: (await read(port, "bonding_slave", "mii_status")) === "up",
    })),
  );
  // "active-backup 1": the name and the driver's number.
  return { mode: wordsOf(mode)[0] ?? "", ports, active: active === "" ? null : (active ?? null) };
}

/**
 * What one connection, as a migration's, has of a bond: the frames of one go through one port, but for mode `balance-rr`. The
 * slowest of those that carry.
 * @param speeds of its ports, by name; null: not known
 */
export function bondBitsPerSecond(
  { mode, ports, active }: BondLoad,
  speeds: ReadonlyMap<string, number | null>,
): number | null {
  const used = ports.filter(({ name, up }) => up && (active === null || active === name));
  const known = used.flatMap(({ name }) => speeds.get(name) ?? []);
  if (known.length === 0 || known.length < used.length) return null;
  return mode === "balance-rr" ? Math.min(...known) * known.length : Math.min(...known);
}

const wordsOf = (text: string): string[] => text.split(/\s+/).filter((word) => word !== "");

async function textOf(path: string): Promise<string | null> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch {
    return null; // there is no such interface, or it is no bond
  }
}
