/**
 * CD-ROM drives of a running QEMU: a medium is put in and taken out while the guest runs. What is put in becomes a part of
 * QEMU's view of the host first (`confine-qemu.pl`), read-only, and goes from it last.
 */
import type { QmpSession } from "@godwit/qmp";
import { nodeName } from "./node-name.ts";
import { passing } from "./passing.ts";

/** A dot is in no name that people choose: no disk has such an id. */
export const cdromId = (drive: string): string => `cd.${drive}`;
export const mediumNode = (drive: string): string => nodeName("iso.", drive);
const fileNode = (drive: string): string => nodeName("iso-file.", drive);

/** The block nodes of a medium, the lower one first. Nothing of the image's content is believed: it is raw, and only read. */
export const mediumNodes = (drive: string, filename: string) =>
  [
    {
      ...{ driver: "file", "node-name": fileNode(drive), filename },
      ...{ "read-only": true, locking: "on", aio: "threads" },
      cache: { direct: true, "no-flush": false },
    },
    { driver: "raw", "node-name": mediumNode(drive), "read-only": true, file: fileNode(drive) },
  ] as const;

/** Takes a medium out, whether the guest has locked the drive or not. A drive without one stays as it is. */
export async function ejectMedium(qmp: QmpSession, drive: string): Promise<void> {
  const id = cdromId(drive);
  await qmp.execute("blockdev-open-tray", { id, force: true });
  await passing(qmp.execute("blockdev-remove-medium", { id }), /no medium|is empty|not contain/i);
  for (const node of [mediumNode(drive), fileNode(drive)])
    await passing(qmp.execute("blockdev-del", { "node-name": node }), /Failed to find node/);
}

/** Puts a medium into a drive that has none. @param path absolute, seen by QEMU */
export async function insertMedium(qmp: QmpSession, drive: string, path: string): Promise<void> {
  const id = cdromId(drive);
  for (const node of mediumNodes(drive, path)) await qmp.execute("blockdev-add", node);
  await qmp.execute("blockdev-insert-medium", { id, "node-name": mediumNode(drive) });
  await qmp.execute("blockdev-close-tray", { id });
}
