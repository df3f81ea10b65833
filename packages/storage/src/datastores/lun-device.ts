/** The block device of this host that a datastore's LUN is, and what is said where there is none. */
import { stat } from "node:fs/promises";
import { GodwitError, type LunSource } from "@godwit/contract";
import { deviceOf, seenDevices } from "../luns/block-devices.ts";

/** @throws DATASTORE_UNAVAILABLE */
export async function deviceOfLun(datastore: string, { wwn }: LunSource, host: string): Promise<string> {
  const found = deviceOf(wwn, await seenDevices());
  if ("problem" in found) throw unavailable(datastore, host, found.problem);
  if (found.isReadOnly) {
    const reason = `LUN ${found.path} (wwn-0x${wwn}) is read-only`;
    throw unavailable(datastore, host, reason, Object.assign(new Error(reason), { code: "EROFS" }));
  }
  const isDevice = await stat(found.path).then(
    (there) => there.isBlockDevice(),
    () => false,
  );
  if (!isDevice)
    throw unavailable(datastore, host, `LUN ${found.path} (wwn-0x${wwn}) has no device node yet`);
  return found.path;
}

export const unavailable = (datastore: string, host: string, reason: string, cause?: unknown): GodwitError =>
  GodwitError.of("DATASTORE_UNAVAILABLE", { datastore, host, reason }, { cause });
