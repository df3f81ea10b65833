/** A VM's snapshots for people. Pure. */
import type { SnapshotList } from "@godwit/contract";
import { formatTable } from "./format.ts";

type One = SnapshotList["snapshots"][number];

/** The oldest first; the one that the VM is at is marked. */
export function snapshotsText(vm: string, { snapshots }: SnapshotList): string {
  if (snapshots.length === 0)
    return `VM ${vm} has no snapshots. Create one: godwit vm snapshot create ${vm} NAME`;
  const rows = snapshots.map((one) => [
    one.name,
    one.createdAt,
    kindOf(one),
    parentOf(one, snapshots),
    one.current ? "here" : "",
    one.note ?? "",
  ]);
  return formatTable([["NAME", "CREATED", "WHAT", "AFTER", "VM", "NOTE"], ...rows]);
}

export function snapshotText(one: One, { snapshots }: SnapshotList): string {
  return formatTable([
    ["name", one.name],
    ["id", one.id],
    ["created", one.createdAt],
    ["what", kindOf(one)],
    ["memory then", `${String(one.memoryMib)} MiB`],
    ["after", parentOf(one, snapshots) || "none"],
    ["vm is here", one.current ? "yes" : "no"],
    ...(one.note === undefined ? [] : [["note", one.note]]),
    ...(one.memory === null
      ? []
      : [["loaded by", `QEMU ${one.memory.qemuVersion} or newer, under ${one.memory.accelerator}`]]),
  ]);
}

const kindOf = ({ memory, unfinished }: One): string =>
  unfinished === undefined ? (memory === null ? "disks" : "disks, memory") : `not complete (${unfinished})`;

const parentOf = ({ parent }: One, all: readonly One[]): string =>
  all.find(({ id }) => id === parent)?.name ?? "";
