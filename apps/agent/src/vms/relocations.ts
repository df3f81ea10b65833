/**
 * Moves disks of VMs between this host's datastores, one disk after the other, one VM's at a time. While it runs, QEMU copies a
 * disk (`DiskMirror`); at rest its image is copied. What is done next is decided by `relocationStep` from what is true then, so an
 * agent that was started again goes on where QEMU is.
 */
import { GodwitError, type DiskRelocation, type ImageCopy, type Vm, type VmId } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import {
  beginRelocation,
  copyToTarget,
  describeAt,
  endRelocation,
  mustNotBeSuspended,
  readRelocation,
  readVm,
  relocationOf,
  saveVm,
  VolumeGroup,
  type Datastore,
  type Relocation,
} from "@godwit/storage";
import { userIds } from "@godwit/system";
import type { Logger } from "pino";
import type { AgentConfig } from "../config.ts";
import type { EventLog } from "../event-log.ts";
import type { Leases } from "../leases/leases.ts";
import type { Processes } from "../qemu/processes.ts";
import type { Claims } from "./claims.ts";
import { exclusively } from "./configure-vm.ts";
import { settleDisks } from "./devices/settle-disks.ts";
import type { Environment } from "./environment.ts";
import { RunningRelocation } from "./running-relocation.ts";
import { tidyFreezing } from "./tidy-freezing.ts";
import { tidyRelocation } from "./tidy-relocation.ts";
import { whileLeased } from "./while-leased.ts";

export interface RelocationsParts {
  config: Pick<AgentConfig, "name" | "qemu">;
  environment: Pick<
    Environment,
    "datastore" | "datastoresOf" | "checkOwnFiles" | "attachVolume" | "mayBeFencedAt"
  >;
  processes: Pick<Processes, "of">;
  leases: Pick<
    Leases,
    "acquire" | "releaseUnlessShared" | "writesTo" | "mustCount" | "isOnDisk" | "isHeldOnDisk"
  >;
  claims: Claims;
  events: EventLog;
  log: Logger;
}

interface UnderWay {
  cancel: AbortController;
  /** Never rejects. */
  over: Promise<void>;
  ended: Promise<Vm>;
  /** What was asked for; null: it is what an earlier agent left. */
  order: DiskRelocation | null;
}

const claimedFor = "its disks are being moved to another datastore";

export class Relocations {
  readonly #parts: RelocationsParts;
  readonly #underWay = new Map<VmId, UnderWay>();
  readonly #stopped = new AbortController();

  constructor(parts: RelocationsParts) {
    this.#parts = parts;
  }

  /**
   * Asked again for the same while it goes on, it answers the same; disks that are there already stay as they are.
   * @throws VM_UNKNOWN, VM_BUSY, DISK_UNKNOWN, DISK_IS_LUN, DISK_HAS_SNAPSHOTS, DISK_EXISTS, DISK_FOLDER_TAKEN, SPACE_SHORT,
   *   DISK_RELOCATION_FAILED, DISK_RELOCATION_CANCELLED, VM_HELD_ELSEWHERE, LEASE_HELD, LEASE_UNAVAILABLE, what a conversion throws, and what
   *   is wrong with a datastore
   */
  async relocate(id: VmId, order: DiskRelocation): Promise<Vm> {
    for (let other = this.#underWay.get(id); other !== undefined; other = this.#underWay.get(id)) {
      if (JSON.stringify(other.order) === JSON.stringify(order)) return await other.ended;
      if (other.order !== null)
        throw GodwitError.of("VM_BUSY", { vm: order.name, task: "", what: claimedFor });
      await other.over;
    }
    return await this.#enter(id, order, (signal) => this.#relocateAll(id, order, signal));
  }

  /** Cancels what goes on for a VM, and waits for its end. @returns the VM as it then is */
  async settle(id: VmId, datastore: string, name: string): Promise<Vm> {
    const other = this.#underWay.get(id);
    other?.cancel.abort();
    await other?.over;
    return await readVm(await this.#parts.environment.datastore(datastore), name);
  }

  /**
   * Takes up what an earlier agent left of a VM that runs: its copy goes on meanwhile, but its disk may be held back. Commands on the
   * VM wait until its datastore has said whether there is something.
   */
  restore(process: QemuProcess): void {
    const { vm } = process.spec;
    this.#restore(process).catch((error: unknown) => {
      this.#parts.log.error(
        { err: error, vm: vm.name },
        "the move of a disk that was taken up again has ended",
      );
    });
  }

  async #restore(process: QemuProcess): Promise<void> {
    const { claims, environment, log } = this.#parts;
    const { vm } = process.spec;
    const look = claims.tryShort(vm.id, "whether a disk of it was being moved is found out");
    if (look === null) return;
    let relocation: Relocation | null;
    try {
      relocation = await readRelocation(await environment.datastore(vm.datastore), vm.name);
    } finally {
      look[Symbol.dispose]();
    }
    if (relocation === null) return;
    // Before anybody who waited for the look.
    using _claim = await claims.claim(vm, claimedFor);
    log.info({ vm: vm.name, disk: relocation.disk }, "the move of a disk is taken up again");
    await this.#enter(vm.id, null, (signal) => this.#running(process, relocation, signal).restore());
  }

  /** The agent stops: copies of running VMs go on in QEMU, others end. */
  stop(): void {
    this.#stopped.abort(new Error("the agent stops"));
  }

  async #enter(
    id: VmId,
    order: DiskRelocation | null,
    work: (signal: AbortSignal) => Promise<Vm>,
  ): Promise<Vm> {
    const cancel = new AbortController();
    const ended = work(cancel.signal).finally(() => {
      this.#underWay.delete(id);
    });
    const over = ended.then(
      () => undefined,
      () => undefined,
    );
    this.#underWay.set(id, { cancel, ended, over, order });
    return await ended;
  }

  async #relocateAll(id: VmId, order: DiskRelocation, signal: AbortSignal): Promise<Vm> {
    const { claims, config, environment, leases, processes } = this.#parts;
    const home = await environment.datastore(order.datastore);
    let vm = await readVm(home, order.name);
    if (vm.id !== id) throw GodwitError.of("VM_UNKNOWN", { vm: order.name });
    using _claim = await claims.claim(vm, claimedFor);
    const process = processes.of(id);
    await using _lease = process === undefined ? await exclusively(leases, vm, config.name) : null;
    vm = await readVm(home, order.name);
    mustNotBeSuspended(vm);
    await environment.checkOwnFiles(vm);
    if (process === undefined) {
      await tidyRelocation(environment, vm);
      await tidyFreezing(environment, vm);
    } else {
      mustHaveNoSnapshots(vm, order);
      vm = await this.#endLeft(process, home, vm);
    }
    const isVolume = await this.#takesVolumes(vm, order.to);
    // A volume that is to go may have the name of one that is to be made.
    if (isVolume) await settleDisks(this.#parts, { vm, home, process: process ?? null });
    for (const name of order.disks) {
      const disk = vm.disks.find((one) => one.name === name);
      if (disk === undefined)
        throw GodwitError.of("DISK_UNKNOWN", {
          ...{ vm: vm.name, disk: name },
          known: vm.disks.map((one) => one.name),
        });
      if ((disk.datastore ?? vm.datastore) === order.to) continue;
      if (signal.aborted) throw cancelled(vm, order);
      if (disk.base !== undefined) mustHaveNoSnapshots(vm, { disks: [name] }, true);
      const relocation = relocationOf(vm, disk, order.to, { isVolume, format: order.format });
      vm =
        process === undefined
          ? await this.#atRest(vm, relocation, signal)
          : await this.#running(process, relocation, signal).run(order.bytesPerSecond);
    }
    return vm;
  }

  /** Whether disks are volumes on a datastore. @throws DATASTORE_WITHOUT_FOLDERS where they are LUNs */
  async #takesVolumes(vm: Vm, datastore: string): Promise<boolean> {
    const { config, environment } = this.#parts;
    const block = (await environment.datastoresOf(vm, [datastore])).blockStoreOf({ datastore });
    if (block !== null && !(block instanceof VolumeGroup))
      throw GodwitError.of("DATASTORE_WITHOUT_FOLDERS", { datastore, host: config.name });
    return block !== null;
  }

  /** A move of another disk that was cut off, and that nobody asks for any more. */
  async #endLeft(process: QemuProcess, home: Datastore, vm: Vm): Promise<Vm> {
    const left = await readRelocation(home, vm.name);
    if (left === null) return vm;
    await this.#running(process, left, AbortSignal.abort())
      .restore()
      .catch((error: unknown) => {
        this.#parts.log.info({ err: error, vm: vm.name }, "a move of a disk that was cut off is undone");
      });
    return await readVm(home, vm.name);
  }

  #running(process: QemuProcess, relocation: Relocation, signal: AbortSignal): RunningRelocation {
    const { environment, leases, log } = this.#parts;
    const tell = (copy: ImageCopy) => {
      this.#tell(process.vmId, copy);
    };
    const stopped = this.#stopped.signal;
    return new RunningRelocation({ environment, leases, process, relocation, signal, stopped, tell, log });
  }

  async #atRest(vm: Vm, relocation: Relocation, signal: AbortSignal): Promise<Vm> {
    const { config, environment, leases } = this.#parts;
    const stores = await environment.datastoresOf(vm, [relocation.from.datastore, relocation.to.datastore]);
    const user = await userIds(config.qemu.user);
    await beginRelocation(stores, vm, relocation);
    const onCopy = (copy: ImageCopy) => {
      this.#tell(vm.id, copy);
    };
    try {
      await whileLeased({ leases, host: config.name }, vm, async (lost) => {
        const ends = AbortSignal.any([signal, this.#stopped.signal, lost]);
        await copyToTarget(stores, { vm, relocation }, { user, onCopy, signal: ends });
      });
    } catch (error) {
      // Whoever has the lease now finds the note.
      if (GodwitError.is(error, "LEASE_NOT_HELD")) throw error;
      this.#tellLeft(vm, relocation, await endRelocation(stores, vm, relocation));
      if (signal.aborted)
        throw GodwitError.of("DISK_RELOCATION_CANCELLED", {
          ...{ vm: vm.name, disks: [relocation.disk], datastore: relocation.to.datastore },
        });
      throw error;
    }
    await leases.mustCount(vm);
    const after = describeAt(vm, relocation, "target");
    await saveVm(stores.own, after);
    this.#tellLeft(after, relocation, await endRelocation(stores, after, relocation));
    return after;
  }

  #tellLeft(vm: Vm, { disk }: Relocation, error: Error | null): void {
    if (error === null) return;
    this.#parts.log.warn(
      { err: error, vm: vm.name, disk },
      "a volume that the VM has no more could not be removed yet",
    );
  }

  #tell(id: VmId, copy: ImageCopy): void {
    this.#parts.events.append("vm.imageCopied", { kind: "vm", id }, { copy });
  }
}

/** What QEMU copies of a disk is what it holds now, and so it is where a linked disk is made complete in itself. @throws VM_HAS_SNAPSHOTS */
function mustHaveNoSnapshots(vm: Vm, { disks }: Pick<DiskRelocation, "disks">, linked = false): void {
  const snapshots = (vm.snapshots ?? []).map(({ name }) => name);
  if (snapshots.length > 0)
    throw GodwitError.of("VM_HAS_SNAPSHOTS", { vm: vm.name, disks, snapshots, linked });
}

const cancelled = (vm: Vm, { to, disks }: DiskRelocation): GodwitError =>
  GodwitError.of("DISK_RELOCATION_CANCELLED", {
    ...{ vm: vm.name, datastore: to },
    disks: vm.disks.flatMap(({ name, datastore = vm.datastore }) =>
      disks.includes(name) && datastore !== to ? [name] : [],
    ),
  });
