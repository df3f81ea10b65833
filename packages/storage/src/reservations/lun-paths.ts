/**
 * The paths by which this host reaches a LUN, and whether a VM's volume on it is active here: from what the kernel says in sysfs alone, so a
 * LUN that hangs holds nothing up.
 */
import { readdir, readFile, realpath } from "node:fs/promises";
import { join } from "node:path";
import { deviceOf, isWwidOf, seenDevices } from "../luns/block-devices.ts";
import { vmOfDevice } from "../luns/volume-devices.ts";

export interface LunPath {
  /** `/dev/sda`. */
  device: string;
  /** Where the kernel has it; a session that was made again has another. */
  identity: string;
  /** As the kernel has its state: one that does not run is not asked. */
  isRunning: boolean;
}

export interface LunOnHost {
  /** In order of their identities. */
  paths: LunPath[];
  hasActiveVolumes: boolean;
}

/** @throws Error with the reason, the end of a sentence. @param sys where the kernel's `/sys/class/block` is */
export async function lunOnHost(wwn: string, sys = "/sys/class/block"): Promise<LunOnHost> {
  const seen = await seenDevices(sys);
  const found = await Promise.all(
    seen
      .filter(({ wwid }) => wwid !== null && isWwidOf(wwn, wwid))
      .map(async ({ name }) => ({
        device: `/dev/${name}`,
        identity: await unlessGone(realpath(join(sys, name, "device"))),
        isRunning:
          (await unlessGone(readFile(join(sys, name, "device/state"), "utf8")))?.trim() === "running",
      })),
  );
  const paths = found.flatMap(({ identity, ...path }) => (identity === null ? [] : [{ ...path, identity }]));
  // That it is used by its map, and there is but one.
  const used = deviceOf(wwn, seen);
  if ("problem" in used) throw new Error(used.problem);
  const names = new Set(paths.map(({ device }) => device.slice("/dev/".length)));
  for (const { name, dmName } of seen)
    if (dmName !== null && used.path === `/dev/mapper/${dmName}`) names.add(name);
  const active = await Promise.all(
    seen
      .filter(({ dmName }) => dmName !== null && vmOfDevice(dmName) !== null)
      .map(async ({ name }) => await unlessGone(readdir(join(sys, name, "slaves"))))
      .map(async (slaves) => (await slaves)?.some((slave) => names.has(slave)) === true),
  );
  return {
    paths: paths.sort((a, b) => (a.identity < b.identity ? -1 : 1)),
    hasActiveVolumes: active.includes(true),
  };
}

/** Null for a device that was removed since it was listed. */
const unlessGone = async <T>(look: Promise<T>): Promise<T | null> =>
  await look.catch((error: unknown) => {
    if (["ENOENT", "ENODEV"].includes((error as NodeJS.ErrnoException).code ?? "")) return null;
    throw error;
  });
