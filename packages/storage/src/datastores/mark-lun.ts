/**
 * A new LUN is made a datastore: a volume group of Godwit's on all of it, with the volumes of the leases. Its tag that says it is
 * ready comes last, and nobody uses it before. A LUN with something on it is left as it is, also with what a crash left of an
 * earlier attempt: another host may be at it now, and leases that are in use must not be formatted.
 */
import { randomUUID } from "node:crypto";
import { GodwitError, type LunSource } from "@godwit/contract";
import { Sanlock } from "../leases/sanlock.ts";
import { groupName, groupOf, idOfGroup, leasesVolume, lockVolume, readyTag, wwnTag } from "../luns/group.ts";
import { groupsOn, lvm, onDevice } from "../luns/lvm.ts";
import { activate, deactivate, deviceName, devicePath } from "../luns/volume-devices.ts";
import { deviceOfLun } from "./lun-device.ts";
import { VolumeGroup } from "./volume-group.ts";

/** For 2000 hosts with sectors of 4 KiB, and a lease of the greatest alignment. */
const leasesMib = 16;
/** Room for the descriptions of some thousand volumes. */
const metadataSize = "16m";

export interface LunToMark {
  name: string;
  source: LunSource;
  host: string;
  ioTimeoutSeconds: number;
}

/**
 * @returns whether it was none before
 * @throws DATASTORE_UNAVAILABLE, LUN_NOT_EMPTY, PROGRAM_MISSING, PROGRAM_FAILED
 */
export async function markLun(mark: LunToMark, sanlock = new Sanlock()): Promise<boolean> {
  const { name, source, host, ioTimeoutSeconds } = mark;
  const device = await deviceOfLun(name, source, host);
  const before = await groupsOn(device);
  const found = groupOf(before, source.wwn);
  if ("id" in found) return false;
  if (!found.isUnmarked) {
    const reason = `LUN ${device} (wwn-0x${source.wwn}) ${found.problem}`;
    throw GodwitError.of("DATASTORE_UNAVAILABLE", { datastore: name, host, reason });
  }
  if (before.some((group) => idOfGroup(group.name) !== null)) {
    const holds = ["a volume group of Godwit's whose marking did not end, or goes on now"];
    throw GodwitError.of("LUN_NOT_EMPTY", { datastore: name, host, device, holds });
  }
  await mustBeEmpty(mark, device);
  const id = randomUUID();
  const group = groupName(id);
  const words = (what: string) => `${what} on ${device}`;
  const made = ["vgcreate", "--setautoactivation", "n", "--metadatasize", metadataSize];
  await lvm(device, [...made, "--addtag", wwnTag(source.wwn), group, device], words("making a volume group"));
  for (const volume of [leasesVolume, lockVolume]) {
    const size = ["--size", `${String(leasesMib)}m`, "--setautoactivation", "n"];
    const empty = ["--activate", "n", "--zero", "n", "--wipesignatures", "n"];
    await lvm(
      device,
      ["lvcreate", "--name", volume, ...size, ...empty, group],
      words(`making volume ${volume}`),
    );
  }
  for (const volume of [leasesVolume, lockVolume]) await activate(device, group, volume);
  await sanlock.initLockspace({ lockspace: id, path: devicePath(group, leasesVolume) }, ioTimeoutSeconds);
  await sanlock.initResource({ lockspace: id, resource: lockVolume, path: devicePath(group, lockVolume) });
  for (const volume of [leasesVolume, lockVolume]) await deactivate(deviceName(group, volume));
  await lvm(device, ["vgchange", "--addtag", readyTag, group], words("marking the volume group"));
  await VolumeGroup.open(name, source, host, sanlock);
  return true;
}

/** @throws LUN_NOT_EMPTY */
async function mustBeEmpty({ name, host }: LunToMark, device: string): Promise<void> {
  const args = ["wipefs", "--no-act", "--noheadings", "--output", "TYPE,OFFSET", device];
  const { stdout } = await onDevice(device, args, `looking at what is on ${device}`);
  const holds = stdout
    .trim()
    .split("\n")
    .flatMap((line) => line.trim().split(/\s+/)[0] || []);
  if (holds.length === 0) return;
  const kinds = [...new Set(holds)].map((kind) => kind.replaceAll(/[^A-Za-z0-9_.+-]/g, "?").slice(0, 40));
  throw GodwitError.of("LUN_NOT_EMPTY", { datastore: name, host, device, holds: kinds.slice(0, 8) });
}
