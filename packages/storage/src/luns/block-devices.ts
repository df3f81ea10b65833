/**
 * Which block device of this host a LUN is, found by its WWN in what the kernel says (`/sys/class/block`); no program is run and
 * nothing is read from a device, so a LUN that hangs holds nothing up. Where several paths lead to it, only their multipath
 * map is used, and never a path alone.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** A block device as the kernel tells of it; null: it says nothing of that. */
export interface SeenDevice {
  /** The kernel's, like `sda` or `dm-3`. */
  name: string;
  /** `naa.6001405…` or `eui.…`. */
  wwid: string | null;
  /** Of device-mapper: its name and what it is, `mpath-36001405…`. */
  dmName: string | null;
  dmUuid: string | null;
  isReadOnly: boolean;
}

export type FoundDevice = { path: string; isReadOnly: boolean } | { problem: string };

const mostBytes = 256;

/** @param wwn 16 or 32 hexadecimal digits. @returns its path, or why there is none, the end of a sentence. Pure. */
export function deviceOf(wwn: string, seen: readonly SeenDevice[]): FoundDevice {
  const maps = seen.filter(({ dmUuid }) => dmUuid !== null && isMapOf(wwn, dmUuid));
  const [map, otherMap] = maps;
  if (otherMap !== undefined) return { problem: `there are several multipath maps of LUN wwn-0x${wwn}` };
  if (map?.dmName != null) return { path: `/dev/mapper/${map.dmName}`, isReadOnly: map.isReadOnly };
  const paths = seen.filter(({ wwid }) => wwid !== null && isWwidOf(wwn, wwid));
  const [path, otherPath] = paths;
  if (path === undefined) return { problem: `there is no LUN with this WWN (wwn-0x${wwn})` };
  if (otherPath !== undefined) {
    const names = paths.map(({ name }) => name).join(", ");
    return {
      problem: `several paths (${names}) lead to LUN wwn-0x${wwn}, and there is no multipath map of them: multipathd has to run`,
    };
  }
  return { path: `/dev/${path.name}`, isReadOnly: path.isReadOnly };
}

/** SCSI's NAA, and EUI-64 or NGUID of NVMe. */
export const isWwidOf = (wwn: string, wwid: string): boolean =>
  wwid === `naa.${wwn}` || wwid === `eui.${wwn}`;

/** In a map's, SCSI's kind of name is a digit: 3 for NAA. */
const isMapOf = (wwn: string, uuid: string): boolean =>
  uuid === `mpath-3${wwn}` || uuid === `mpath-eui.${wwn}` || uuid === `mpath-2${wwn}`;

/** @param sys where the kernel's `/sys/class/block` is */
export async function seenDevices(sys = "/sys/class/block"): Promise<SeenDevice[]> {
  const names = (await readdir(sys)).filter((name) => /^[A-Za-z0-9_-]{1,64}$/.test(name)).sort();
  return await Promise.all(
    names.map(async (name) => {
      const word = async (path: string) => await wordIn(join(sys, name, path));
      const [ofScsi, ofNvme, dmName, dmUuid, readOnly] = await Promise.all(
        ["device/wwid", "wwid", "dm/name", "dm/uuid", "ro"].map(word),
      );
      return {
        name,
        // A partition is below its disk, whose `device` it does not have.
        wwid: ofScsi ?? ofNvme ?? null,
        ...{ dmName: dmName ?? null, dmUuid: dmUuid ?? null, isReadOnly: readOnly === "1" },
      };
    }),
  );
}

/** Null: it is not there, or is nothing that could be looked for. */
async function wordIn(path: string): Promise<string | null> {
  const text = await readFile(path, "utf8").catch(() => "");
  const word = text.trim().toLowerCase();
  return path.endsWith("dm/name")
    ? nameOr(text.trim())
    : /^[a-z0-9._:-]+$/.test(word) && word.length <= mostBytes
      ? word
      : null;
}

/** A map's name becomes a part of a path. */
const nameOr = (text: string): string | null =>
  /^[A-Za-z0-9#+.:=@_][A-Za-z0-9#+.:=@_-]{0,126}$/.test(text) && text !== "." && text !== ".." ? text : null;
