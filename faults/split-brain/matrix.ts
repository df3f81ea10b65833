/**
 * The whole matrix on this machine: one namespace with the storage servers and every QEMU, one sanlock daemon for
 * each host. Everything is gone afterwards, also after a failure.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { run, UndoStack } from "@godwit/system";
import { runCell } from "./cell.ts";
import { diskKinds, type Disk, type DiskKind, type Place } from "./disks/disk.ts";
import { fileDisk } from "./disks/file.ts";
import { iscsiDisk } from "./disks/iscsi.ts";
import { nfsDisk } from "./disks/nfs.ts";
import { Leases } from "./leases.ts";
import { continuations, failureOf, type Cell, type Outcome } from "./outcome.ts";

const disks: Readonly<Record<DiskKind, (place: Place) => Promise<Disk>>> = {
  file: fileDisk,
  nfs: nfsDisk,
  iscsi: iscsiDisk,
};

export const cells: readonly Cell[] = [false, true].flatMap((lease) =>
  diskKinds.flatMap((disk) => continuations.map((continues) => ({ disk, continues, lease }))),
);

export interface Matrix {
  cells: Outcome[];
  /** Cells that are not as they must be. */
  failed: number;
}

/** @throws PROGRAM_FAILED, PROGRAM_MISSING when what the cells need does not start */
export async function runMatrix(
  onCell: (outcome: Outcome) => void,
  signal = new AbortController().signal,
): Promise<Matrix> {
  await using undo = new UndoStack((what, error) => {
    console.error(`could not ${what}:`, error);
  });
  // Not /tmp, which may be in memory: sanlock and QEMU open their files past the cache.
  const folder = await mkdtemp("/var/tmp/godwit-split-brain-");
  undo.push(`remove ${folder}`, () => rm(folder, { recursive: true, force: true }));
  const namespace = `gw-split-${randomBytes(3).toString("hex")}`;
  const ip = async (...args: string[]) => run("ip", args, { what: "arranging the matrix's namespace" });
  await ip("netns", "add", namespace);
  undo.push(`remove namespace ${namespace}`, () => ip("netns", "del", namespace));
  await ip("-n", namespace, "link", "set", "lo", "up");

  const place = { folder, namespace };
  const leases = await Leases.start(folder, cells.length);
  undo.push("end the lease daemons", () => leases[Symbol.asyncDispose]());
  const opened = new Map<DiskKind, Disk>();
  for (const kind of diskKinds) {
    const disk = await disks[kind](place);
    undo.push(`end the storage of ${kind}`, () => disk[Symbol.asyncDispose]());
    opened.set(kind, disk);
  }
  const outcomes: Outcome[] = [];
  for (const [vm, cell] of cells.entries()) {
    signal.throwIfAborted();
    const disk = opened.get(cell.disk);
    if (disk === undefined) continue;
    const outcome = await runCell(cell, { place, disk, lease: cell.lease ? { leases, vm } : null });
    outcomes.push(outcome);
    onCell(outcome);
  }
  return { cells: outcomes, failed: outcomes.filter((outcome) => failureOf(outcome) !== null).length };
}
