/**
 * Snapshots of VMs: made and deleted while the VM runs here (by its QEMU) or at rest (in its images), reverted to at rest only. What
 * goes on is written into `vm.json` before it is done, so whoever comes after a crash knows what to complete or to remove: a snapshot
 * that is not complete is removed, and a revert that has started is completed before the VM is started.
 */
import {
  GodwitError,
  snapshotTag,
  type Snapshot,
  type SnapshotOrder,
  type SnapshotReference,
  type Vm,
  type VmId,
} from "@godwit/contract";
import {
  deleteSnapshot,
  snapshotDisks,
  snapshotWithMemory,
  type Hypervisor,
  type QemuProcess,
} from "@godwit/hypervisor";
import { memoryProblem, mustFit } from "@godwit/requirements";
import {
  applyTag,
  completed,
  deleting,
  mustHaveTag,
  mustKeepSnapshots,
  mustNotBeSuspended,
  readVm,
  removeTag,
  reverted,
  reverting,
  saveVm,
  snapshotOf,
  tagDisks,
  withoutSnapshot,
  withSnapshot,
  type VmDatastores,
} from "@godwit/storage";
import type { Logger } from "pino";
import type { AgentConfig } from "../config.ts";
import type { Leases } from "../leases/leases.ts";
import type { Processes } from "../qemu/processes.ts";
import { reasonOf } from "../reason.ts";
import type { Claims } from "./claims.ts";
import { exclusively } from "./configure-vm.ts";
import { mustHaveSettledMemory } from "./devices/settle-memory.ts";
import { mustBeSavable } from "./host-devices.ts";
import { mustBeOrdered } from "../qemu/memory-order.ts";
import type { Environment } from "./environment.ts";
import { SharedWork } from "./shared-work.ts";

export interface SnapshotsParts {
  config: Pick<AgentConfig, "name">;
  hypervisor: Pick<Hypervisor, "facts">;
  environment: Pick<Environment, "datastore" | "datastoresOf" | "checkOwnFiles">;
  processes: Pick<Processes, "of">;
  leases: Pick<Leases, "acquire" | "releaseUnlessShared">;
  claims: Claims;
  log: Logger;
}

/** A VM that is claimed, and that nobody else runs. */
interface Held {
  vm: Vm;
  stores: VmDatastores;
  /** Null: it does not run. */
  process: QemuProcess | null;
}

export class Snapshots {
  readonly #parts: SnapshotsParts;
  readonly #underWay = new SharedWork<Vm>();

  constructor(parts: SnapshotsParts) {
    this.#parts = parts;
  }

  /**
   * Asked again for the same while it goes on, or after it, it answers the same.
   * @throws SNAPSHOT_EXISTS, SNAPSHOTS_TOO_MANY, SNAPSHOT_DISK_UNSUITABLE, SNAPSHOT_MEMORY_STOPPED, HOST_DEVICE_UNSAVABLE, SNAPSHOT_FAILED, VM_SUSPENDED, VM_UNKNOWN, VM_BUSY,
   *   VM_HELD_ELSEWHERE, LEASE_HELD, LEASE_UNAVAILABLE, SPACE_SHORT and what is wrong with a datastore
   */
  async create(id: VmId, order: SnapshotOrder): Promise<Vm> {
    return await this.#underWay.do(`create ${order.snapshot.id}`, () =>
      this.#holding(id, order, "a snapshot of it is being created", (held) => this.#create(held, order)),
    );
  }

  /** One that is not there is deleted. @throws as `create` */
  async delete(id: VmId, order: SnapshotReference): Promise<Vm> {
    return await this.#underWay.do(`delete ${order.id}`, () =>
      this.#holding(id, order, "a snapshot of it is being deleted", async (held) => {
        const found = held.vm.snapshots?.find((one) => one.id === order.id);
        if (found === undefined) return held.vm;
        return await this.#remove(held, found);
      }),
    );
  }

  /**
   * Makes the disks and the description of a VM that does not run what they were.
   * @throws VM_RUNNING, SNAPSHOT_UNKNOWN, SNAPSHOT_UNFINISHED, SNAPSHOT_DISKS_DIFFER, SNAPSHOT_BROKEN, SNAPSHOT_MEMORY_UNUSABLE, and as `create`
   */
  async revert(id: VmId, order: SnapshotReference, withMemory: boolean): Promise<Vm> {
    return await this.#underWay.do(`revert ${order.id}`, () =>
      this.#holding(id, order, "it is being reverted to a snapshot", (held) =>
        this.#revert(held, order.id, withMemory),
      ),
    );
  }

  async #holding(
    id: VmId,
    { datastore, name }: { datastore: string; name: string },
    what: string,
    act: (held: Held) => Promise<Vm>,
  ): Promise<Vm> {
    const { claims, config, environment, leases, processes } = this.#parts;
    const home = await environment.datastore(datastore);
    const before = await readVm(home, name);
    if (before.id !== id) throw GodwitError.of("VM_UNKNOWN", { vm: name });
    using _claim = await claims.claim(before, what);
    const process = processes.of(id) ?? null;
    await using _lease = process === null ? await exclusively(leases, before, config.name) : null;
    const vm = await readVm(home, name);
    mustNotBeSuspended(vm);
    await environment.checkOwnFiles(vm);
    const stores = await environment.datastoresOf(vm);
    if (process !== null || vm.revertingTo === undefined) return await act({ vm, stores, process });
    return await act({ vm: await completeRevert(stores, vm), stores, process });
  }

  async #create(held: Held, { snapshot }: SnapshotOrder): Promise<Vm> {
    const { stores, process } = held;
    const before = held.vm.snapshots?.find(({ id }) => id === snapshot.id);
    if (before !== undefined && before.unfinished === undefined) return held.vm;
    mustKeepSnapshots(held.vm);
    if (snapshot.memory && process === null)
      throw GodwitError.of("SNAPSHOT_MEMORY_STOPPED", { vm: held.vm.name, state: "stopped" });
    if (snapshot.memory) mustBeSavable(held.vm, this.#parts.config.name);
    if (snapshot.memory) mustHaveSettledMemory(held.vm);
    if (snapshot.memory && process !== null) await mustBeOrdered(process);
    const vm = await this.#tidy(held);
    const memory =
      snapshot.memory && process !== null
        ? { accelerator: process.spec.accelerator, qemuVersion: await process.version() }
        : null;
    const making = withSnapshot(vm, snapshot, memory);
    const tag = snapshotTag(snapshot.id);
    await save(held, making);
    try {
      if (process === null) await tagDisks(stores, vm, snapshot.id);
      else if (memory === null) await snapshotDisks(process, tag);
      else await snapshotWithMemory(process, tag);
      return await save(held, completed(making, snapshot.id));
    } catch (error) {
      await this.#remove({ ...held, vm: making }, snapshotOf(making, snapshot.id)).catch((left: unknown) => {
        this.#parts.log.warn({ err: left, vm: vm.name }, "what is left of a snapshot is removed later");
        throw GodwitError.of(
          "SNAPSHOT_UNFINISHED",
          { vm: vm.name, snapshot: snapshot.name },
          { cause: error },
        );
      });
      throw failed(vm, snapshot, "created", error);
    }
  }

  /** Removes what earlier attempts have left. */
  async #tidy(held: Held): Promise<Vm> {
    let { vm } = held;
    for (const left of (vm.snapshots ?? []).filter(({ unfinished }) => unfinished !== undefined))
      vm = await this.#remove({ ...held, vm }, left);
    return vm;
  }

  async #remove(held: Held, snapshot: Snapshot): Promise<Vm> {
    const { stores, process } = held;
    const { id } = snapshot;
    const vm = await save(held, deleting(held.vm, id));
    try {
      if (process === null) await removeTag(stores, vm, id);
      else await deleteSnapshot(process, snapshotTag(id));
    } catch (error) {
      throw failed(vm, snapshot, "deleted", error);
    }
    return await save(held, withoutSnapshot(vm, id));
  }

  async #revert({ vm, stores, process }: Held, id: string, withMemory: boolean): Promise<Vm> {
    const { config, hypervisor } = this.#parts;
    const host = config.name;
    if (process !== null) throw GodwitError.of("VM_RUNNING", { vm: vm.name, host });
    const snapshot = snapshotOf(vm, id);
    mustFit(vm, snapshot);
    await mustHaveTag(stores, vm, snapshot);
    const reason = withMemory ? memoryProblem(snapshot, await hypervisor.facts()) : null;
    if (reason !== null)
      throw GodwitError.of("SNAPSHOT_MEMORY_UNUSABLE", {
        vm: vm.name,
        snapshot: snapshot.name,
        host,
        reason,
      });
    const going = reverting(vm, id);
    await saveVm(stores.own, going);
    const after = await completeRevert(stores, going);
    if (!withMemory) return after;
    // Until its guest goes on from there.
    const waiting = reverting(after, id);
    await saveVm(stores.own, waiting);
    return waiting;
  }
}

/**
 * Completes what has started: the VM does not run, and the caller has its exclusive lease.
 * @throws SNAPSHOT_FAILED, SPACE_SHORT
 */
export async function completeRevert(stores: VmDatastores, vm: Vm): Promise<Vm> {
  const { revertingTo: id } = vm;
  if (id === undefined) return vm;
  const snapshot = snapshotOf(vm, id);
  try {
    await applyTag(stores, vm, id);
  } catch (error) {
    throw failed(vm, snapshot, "reverted to", error);
  }
  const after = reverted(vm, id);
  await saveVm(stores.own, after);
  return after;
}

async function save({ stores, process }: Held, vm: Vm): Promise<Vm> {
  await saveVm(stores.own, vm);
  await process?.updateVm(vm);
  return vm;
}

const failed = (
  vm: Vm,
  { name: snapshot }: { name: string },
  what: "created" | "deleted" | "reverted to",
  error: unknown,
): GodwitError => {
  const reason = reasonOf(error).replace(/\.$/, "");
  return GodwitError.of("SNAPSHOT_FAILED", { vm: vm.name, snapshot, what, reason }, { cause: error });
};
