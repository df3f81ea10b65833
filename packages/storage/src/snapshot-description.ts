/** What becomes of a VM's description with its snapshots. Pure. */
import {
  GodwitError,
  isBlockPath,
  keptBootOrder,
  mostSnapshots,
  storedAnnotations,
  type Snapshot,
  type SnapshotOrder,
  type Vm,
} from "@godwit/contract";

/** Less than what of a `vm.json` is read. */
const mostBytes = 192 * 1024;

/** @throws SNAPSHOT_UNKNOWN */
export function snapshotOf(vm: Vm, id: string): Snapshot {
  const found = vm.snapshots?.find((one) => one.id === id);
  if (found !== undefined) return found;
  const known = (vm.snapshots ?? []).map(({ name }) => name);
  throw GodwitError.of("SNAPSHOT_UNKNOWN", { vm: vm.name, snapshot: id, known });
}

/** That each of its disks can keep a snapshot. @throws SNAPSHOT_DISK_UNSUITABLE */
export function mustKeepSnapshots({ name: vm, disks }: Vm): void {
  const refused = (disk: string | null, path: string, reason: "raw" | "lun" | "none") =>
    GodwitError.of("SNAPSHOT_DISK_UNSUITABLE", { vm, disk, path, reason });
  if (disks.length === 0) throw refused(null, "", "none");
  for (const { name, path, format } of disks) {
    if (isBlockPath(path)) throw refused(name, path, "lun");
    if (format === "raw") throw refused(name, path, "raw");
  }
}

/** With one more, which is not complete yet. @throws SNAPSHOT_EXISTS, SNAPSHOTS_TOO_MANY */
export function withSnapshot(
  vm: Vm,
  { memory: _, ...asked }: SnapshotOrder["snapshot"],
  memory: Snapshot["memory"],
): Vm {
  const { snapshots = [], currentSnapshot = null, revertingTo: _reverting, ...now } = vm;
  if (snapshots.some(({ name }) => name === asked.name))
    throw GodwitError.of("SNAPSHOT_EXISTS", { vm: vm.name, snapshot: asked.name });
  const { version: _version, id: _id, name: _name, datastore: _datastore, tags: _tags, ...rest } = now;
  const { notes: _notes, ...described } = rest;
  const snapshot: Snapshot = {
    ...asked,
    ...{ parent: currentSnapshot, memory, unfinished: "making", vm: described },
  };
  const after = { ...vm, snapshots: [...snapshots, snapshot] };
  if (snapshots.length >= mostSnapshots || Buffer.byteLength(JSON.stringify(after, null, 2)) > mostBytes)
    throw GodwitError.of("SNAPSHOTS_TOO_MANY", { vm: vm.name, most: mostSnapshots });
  return after;
}

/** The snapshot is complete, and where the VM is at from now on. */
export const completed = (vm: Vm, id: string): Vm => ({
  ...changed(vm, id, ({ unfinished: _, ...whole }) => whole),
  currentSnapshot: id,
});

export const deleting = (vm: Vm, id: string): Vm =>
  changed(vm, id, (snapshot) => ({ ...snapshot, unfinished: "deleting" }));

/** Those of it follow on the one before it. */
export function withoutSnapshot(vm: Vm, id: string): Vm {
  const { snapshots = [], currentSnapshot, ...rest } = vm;
  const parent = snapshots.find((one) => one.id === id)?.parent ?? null;
  const left = snapshots.flatMap((one) =>
    one.id === id ? [] : [one.parent === id ? { ...one, parent } : one],
  );
  const current = currentSnapshot === id ? (parent ?? undefined) : currentSnapshot;
  return {
    ...rest,
    ...(left.length === 0 ? {} : { snapshots: left }),
    ...(current === undefined || left.length === 0 ? {} : { currentSnapshot: current }),
  };
}

/** Its disks are being made those of the snapshot, or are, and its guest is to go on from it. */
export const reverting = (vm: Vm, id: string): Vm => ({ ...vm, revertingTo: id });

/** Its guest runs, or is about to. */
export function notReverting({ revertingTo: _, ...vm }: Vm): Vm {
  return vm;
}

/** As it was described when the snapshot was made; its name, its id, where it lies, its snapshots, tags and notes are as they are now. */
export function reverted(vm: Vm, id: string): Vm {
  const { version, id: vmId, name, datastore, disks, snapshots } = vm;
  return keptBootOrder({
    ...snapshotOf(vm, id).vm,
    ...{ version, id: vmId, name, datastore, disks },
    ...storedAnnotations(vm),
    ...(snapshots === undefined ? {} : { snapshots }),
    currentSnapshot: id,
  });
}

const changed = (vm: Vm, id: string, change: (snapshot: Snapshot) => Snapshot): Vm => ({
  ...vm,
  snapshots: (vm.snapshots ?? []).map((one) => (one.id === id ? change(one) : one)),
});
