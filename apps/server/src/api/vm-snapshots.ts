/** Snapshots of VMs. What is known to be refused is refused before a task is entered; the VM's host has the last word. */
import { randomUUID } from "node:crypto";
import {
  GodwitError,
  hasProcess,
  isBlockPath,
  mostSnapshots,
  type serverOperations,
  type Snapshot,
  type Vm,
} from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import { memoryProblem, mustFit } from "@godwit/requirements";
import type { Services } from "../services.ts";
import { ableTo } from "./able-to.ts";
import { hostFor } from "./host-for-command.ts";

type Operations = Pick<
  typeof serverOperations,
  "vmSnapshotList" | "vmSnapshotCreate" | "vmSnapshotRevert" | "vmSnapshotDelete"
>;

export function vmSnapshotHandlers(services: Services): Handlers<Operations> {
  const { store, tasks } = services;
  /** The VM, and the part of each request that says where it is. */
  const placed = async (named: string) => {
    const vm = await store.vms.show(named);
    const host = await hostFor(services, "configure", vm);
    const facts = ableTo("snapshots", await store.hosts.list(), host);
    return { vm, facts, where: { vm: { id: vm.id, name: vm.name }, host, home: vm.config.datastore } };
  };
  return {
    vmSnapshotList: async ({ params }) => {
      const { snapshots = [], currentSnapshot } = (await store.vms.show(params.vm)).config;
      return {
        snapshots: snapshots.map(({ vm, ...snapshot }) => ({
          ...snapshot,
          ...{ memoryMib: vm.memoryMib, current: snapshot.id === currentSnapshot },
        })),
      };
    },

    vmSnapshotCreate: async ({ params, body: { name, note, memory = false } }) => {
      const { vm, where } = await placed(params.vm);
      mustAllowSnapshot(vm.config, name);
      if (memory && !hasProcess(vm))
        throw GodwitError.of("SNAPSHOT_MEMORY_STOPPED", { vm: vm.name, state: vm.state });
      const snapshot = {
        ...{ id: randomUUID(), name, createdAt: new Date().toISOString(), memory },
        ...(note === undefined ? {} : { note }),
      };
      return await tasks.start({ kind: "vm.createSnapshot", request: { ...where, snapshot } });
    },

    vmSnapshotRevert: async ({ params, body: { disksOnly = false } }) => {
      const { vm, where, facts } = await placed(params.vm);
      const snapshot = named(vm.config, params.snapshot);
      const { id, name, memory } = snapshot;
      mustFit(vm.config, snapshot);
      const withMemory = memory !== null && !disksOnly;
      const reason = withMemory ? memoryProblem(snapshot, facts.qemu) : null;
      if (reason !== null)
        throw GodwitError.of("SNAPSHOT_MEMORY_UNUSABLE", {
          ...{ vm: vm.name, snapshot: name, host: where.host, reason },
        });
      const request = { ...where, snapshot: { id, name }, withMemory };
      return await tasks.start({ kind: "vm.revertToSnapshot", request });
    },

    vmSnapshotDelete: async ({ params }) => {
      const { vm, where } = await placed(params.vm);
      const { id, name } = named(vm.config, params.snapshot);
      return await tasks.start({ kind: "vm.deleteSnapshot", request: { ...where, snapshot: { id, name } } });
    },
  };
}

/** @param word its name or id. @throws SNAPSHOT_UNKNOWN */
function named({ name: vm, snapshots = [] }: Vm, word: string): Snapshot {
  const found = snapshots.find(({ id, name }) => name === word || id === word);
  if (found !== undefined) return found;
  const known = snapshots.map(({ name }) => name);
  throw GodwitError.of("SNAPSHOT_UNKNOWN", { vm, snapshot: word, known });
}

/** @throws SNAPSHOT_EXISTS, SNAPSHOTS_TOO_MANY, SNAPSHOT_DISK_UNSUITABLE */
function mustAllowSnapshot({ name: vm, disks, snapshots = [] }: Vm, snapshot: string): void {
  if (snapshots.some(({ name, unfinished }) => name === snapshot && unfinished === undefined))
    throw GodwitError.of("SNAPSHOT_EXISTS", { vm, snapshot });
  const complete = snapshots.filter(({ unfinished }) => unfinished === undefined);
  if (complete.length >= mostSnapshots)
    throw GodwitError.of("SNAPSHOTS_TOO_MANY", { vm, most: mostSnapshots });
  const unsuitable = disks.find(({ path, format }) => isBlockPath(path) || format === "raw");
  if (unsuitable === undefined) return;
  const { name: disk, path } = unsuitable;
  throw GodwitError.of("SNAPSHOT_DISK_UNSUITABLE", {
    vm,
    disk,
    path,
    reason: !isBlockPath(path) ? "raw" : "lun",
  });
}
