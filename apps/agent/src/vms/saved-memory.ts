/**
 * What a guest goes on from at its start, in the place of booting: the memory of the snapshot that its VM was reverted to, or the one
 * that it was suspended with. It is spent in `vm.json` before the guest runs, so that a guest goes on from it once.
 */
import { GodwitError, snapshotTag, type QemuFacts, type Vm } from "@godwit/contract";
import { loadMemory, loadSnapshot, type LaunchSpec, type QemuProcess } from "@godwit/hypervisor";
import { memoryProblem } from "@godwit/requirements";
import {
  changedSince,
  disksNow,
  findMemory,
  notReverting,
  notSuspended,
  readVmFile,
  saveVm,
  snapshotOf,
  type Datastore,
  type VmDatastores,
} from "@godwit/storage";
import { reasonOf } from "../reason.ts";

export interface SavedMemory {
  /** `vm` says still that it waits for this memory, until that is spent: an agent that comes after this one goes by it. */
  readonly spec: Pick<LaunchSpec, "vm" | "loads" | "memoryPath">;
  /** The guest is not to run. */
  readonly paused: boolean;
  /** The guest does not run yet, and what it needs to run is QEMU's. @throws SNAPSHOT_LOAD_FAILED, SUSPENDED_MEMORY_UNUSABLE */
  load: (process: QemuProcess) => Promise<void>;
  /** Why the guest does not go on, where QEMU does not let it. @param reason the end of a sentence */
  failed: (reason: string, cause?: unknown) => GodwitError;
}

/** The VM that goes on, and with what. */
interface GoingOn {
  vm: Vm;
  saved: SavedMemory;
}

/** @throws SNAPSHOT_UNKNOWN, SNAPSHOT_ALREADY_LOADED */
export function ofSnapshot(id: string, stored: Vm, host: string): GoingOn {
  const { name: snapshot } = snapshotOf(stored, id);
  if (stored.revertingTo !== id)
    throw GodwitError.of("SNAPSHOT_ALREADY_LOADED", { vm: stored.name, snapshot, host });
  const failed = (reason: string, cause?: unknown) =>
    GodwitError.of("SNAPSHOT_LOAD_FAILED", { vm: stored.name, snapshot, host, reason }, { cause });
  const load = async (process: QemuProcess) => {
    try {
      await loadSnapshot(process, snapshotTag(id));
      await process.hasLoaded();
    } catch (error) {
      throw failed(sentenceEnd(error), error);
    }
  };
  const spec = { vm: stored, loads: id };
  return { vm: notReverting(stored), saved: { spec, paused: false, load, failed } };
}

/**
 * The caller has the VM's exclusive lease.
 * @throws SUSPENDED_MEMORY_UNUSABLE
 */
export async function ofSuspension(
  stored: Vm & Required<Pick<Vm, "suspension">>,
  stores: VmDatastores,
  { host, qemu }: { host: string; qemu: QemuFacts },
): Promise<GoingOn> {
  const { name, suspension } = stored;
  const { own } = stores;
  const unusable = (reason: string, cause?: unknown) =>
    GodwitError.of("SUSPENDED_MEMORY_UNUSABLE", { vm: name, host, reason }, { cause });
  const problem = memoryProblem({ memory: suspension.memory, vm: stored }, qemu);
  if (problem !== null) throw unusable(`of its memory, ${problem}`);
  const found = await findMemory(own, name);
  if (found === null) throw unusable("the file with its memory is not there, or is not a regular file");
  const [changed] = changedSince(suspension, await disksNow(stores, stored));
  if (changed !== undefined)
    throw unusable(
      `its disk ${changed} was written or replaced after it had been suspended, and is not what its guest knows`,
    );
  const load = async (process: QemuProcess) => {
    try {
      await loadMemory(process);
      // As late as they are taken anyway, and before the memory is spent: somebody may have one of them open.
      await process.activateDisks();
      await process.hasLoaded();
    } catch (error) {
      throw unusable(`QEMU could not load its memory (${sentenceEnd(error)})`, error);
    }
  };
  return {
    vm: notSuspended(stored),
    saved: {
      spec: { vm: stored, loads: suspension.id, memoryPath: found.path },
      paused: suspension.paused === true,
      load,
      failed: unusable,
    },
  };
}

/** Whether it waits for a saved memory of which its guest must not have run. */
export const waits = ({ revertingTo, suspension }: Vm): boolean =>
  revertingTo !== undefined || suspension !== undefined;

/** From now on the guest may write what no saved memory of it knows. The caller has the VM's lease. */
export async function spend(own: Datastore, process: QemuProcess): Promise<void> {
  const { vm } = process.spec;
  const stored = await readVmFile(own, vm.name);
  if (stored !== null && waits(stored)) await saveVm(own, awake(stored));
  if (waits(vm)) await process.updateVm(awake(vm));
}

const awake = (vm: Vm): Vm => notSuspended(notReverting(vm));

const sentenceEnd = (error: unknown): string => reasonOf(error).replace(/\.$/, "");
