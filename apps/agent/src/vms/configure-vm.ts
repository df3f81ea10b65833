/**
 * Changes a VM's description in its folder and, where it runs on this host, what can change while it runs: tags, notes, CPU affinity, the memory target,
 * memory that is added, and CD-ROM drives. A TPM and a balloon come and go, and a maximum of memory, vCPUs and boot order change, at rest. What is asked of its CPU holds from its next power-on. Where it does not run here, the description is
 * changed under its exclusive lease: a host that has lost the VM would change what another host's QEMU does not follow.
 */
import { isDeepStrictEqual } from "node:util";
import {
  conflictsOf,
  drivesOf,
  GodwitError,
  maxMemoryOf,
  memoryLayoutOf,
  withPlainMemory,
  type MemoryDevice,
  type Vm,
  type VmBasis,
  type VmChanges,
  type VmId,
} from "@godwit/contract";
import { setMemoryTarget } from "@godwit/hypervisor";
import { makeTpmState, mustNotBeSuspended, readVm, saveVm } from "@godwit/storage";
import type { AgentConfig } from "../config.ts";
import type { LeaseAnswer, Leases } from "../leases/leases.ts";
import type { Processes } from "../qemu/processes.ts";
import type { Claims } from "./claims.ts";
import { bindTo, checkCpuAffinity } from "./cpu-affinity.ts";
import { addMemory, memoryToPlug, type MemoryParts } from "./devices/memory-changes.ts";
import { settleRunning } from "./devices/settle.ts";
import { takeHostDevices } from "./devices/take-host-devices.ts";
import { foundHostDevices, onlyTakesUsb } from "./host-devices.ts";
import { waits } from "./saved-memory.ts";
import { changed, changesAnnotationsOnly } from "./vm-changes.ts";

export interface Configuration {
  id: VmId;
  datastore: string;
  name: string;
  changes: VmChanges;
  /** Absent: not checked. */
  basis?: VmBasis | undefined;
}

interface Parts extends MemoryParts {
  config: AgentConfig;
  claims: Claims;
  processes: Processes;
  leases: Pick<Leases, "acquire" | "releaseUnlessShared">;
}

/**
 * Asked again after it was cut off, it completes what is left.
 * @throws VM_UNKNOWN, VM_BUSY, VM_CHANGED_MEANWHILE, HOST_DEVICE_MISSING, DEVICE_KEPT_BY_GUEST, VM_HELD_ELSEWHERE, LEASE_HELD, LEASE_UNAVAILABLE, VM_SUSPENDED, CDROM_UNKNOWN, CDROM_EMPTY, CDROM_MEDIUM_MISSING, CDROM_MEDIUM_UNUSABLE, CPU_AFFINITY_UNAVAILABLE, VM_RUNNING, VM_MEMORY_FIXED, DESTINATION_MEMORY_SHORT, DEVICE_PLUG_FAILED, BALLOON_MISSING, TPM_UNAVAILABLE, TPM_STATE_UNUSABLE, VM_TAGS_TOO_MANY,
 *   SPACE_SHORT, QMP_REFUSED
 */
export async function configureVm(
  parts: Parts,
  { id, datastore, name, changes, basis }: Configuration,
): Promise<Vm> {
  const { config, claims, environment, processes, leases } = parts;
  const store = await environment.datastore(datastore);
  const before = await readVm(store, name);
  if (before.id !== id) throw GodwitError.of("VM_UNKNOWN", { vm: name });
  using _claim = await claims.claim(before, "its description is being changed");
  const process = processes.of(id);
  await using _lease = process === undefined ? await exclusively(leases, before, config.name) : null;
  const grows = process !== undefined && changes.memoryMib !== undefined;
  let stored = await readVm(store, name);
  const conflicts = conflictsOf(stored, changes, basis ?? {});
  if (conflicts.length > 0) throw GodwitError.of("VM_CHANGED_MEANWHILE", { vm: name, changed: conflicts });
  if (!changesAnnotationsOnly(changes)) mustNotBeSuspended(stored);
  const { hostDevices = stored.hostDevices ?? [] } = changes;
  const isAtRestOnly =
    changesMachine(stored, changes) || !onlyTakesUsb(stored.hostDevices ?? [], hostDevices);
  if (process !== undefined && isAtRestOnly)
    throw GodwitError.of("VM_RUNNING", { vm: name, host: config.name });
  if (process !== undefined && changes.balloon != null && process.spec.vm.balloon === undefined)
    throw GodwitError.of("BALLOON_MISSING", { vm: name, host: config.name });
  const save = async (vm: Vm): Promise<Vm> => {
    await saveVm(store, vm);
    await process?.updateVm(vm);
    return vm;
  };
  if (grows) stored = await settleRunning(parts, process, store);
  const device = grows
    ? memoryToPlug(stored, changes.memoryMib ?? 0, process.spec.accelerator === "tcg")
    : null;
  const { cdrom: _cdrom, cdroms: _cdroms, memoryMib: _memory, ...others } = changes;
  const drives = drivesOf(changes);
  // Of one that runs, devices only go.
  const kept = (stored.hostDevices ?? []).filter(({ name }) => hostDevices.some((one) => one.name === name));
  const found =
    changes.hostDevices === undefined
      ? {}
      : {
          hostDevices:
            process === undefined
              ? foundHostDevices(hostDevices, { vm: name, host: config.name, has: stored.hostDevices })
              : kept,
        };
  // What is refused is refused before anything is changed.
  const paths =
    drives.length === 0
      ? {}
      : await environment.mediumPaths(changed(stored, changes), process === undefined ? null : process.user);
  if (others.tpm !== undefined && others.tpm !== (stored.tpm === true)) {
    if (process !== undefined) throw GodwitError.of("VM_RUNNING", { vm: name, host: config.name });
    if (others.tpm) {
      await environment.mustEmulateTpm(name);
      await makeTpmState(store, { vm: name, isOwn: true });
    }
  }
  await checkCpuAffinity({ name, cpuAffinity: others.cpuAffinity }, config.name);
  const wanted = changed(stored, { ...changes, ...found });
  if (process === undefined) return await save(waits(stored) ? wanted : withPlainMemory(wanted));
  if (changes.hostDevices !== undefined) await takeHostDevices(process, stored, hostDevices);
  const grown = device === null ? stored : await grow(parts, { vm: stored, home: store, process }, device);
  let vm = await save(changed(grown, { ...others, ...found }));
  // Also of a growth that was cut off before it: the target is one of all memory.
  if (grows || others.balloon != null) await setMemoryTarget(process);
  if (others.cpuAffinity !== undefined) await bindTo(process, others.cpuAffinity);
  for (const cdrom of drives) {
    // What fails from here on leaves the drive disconnected, which is what its description says by then.
    await process.disconnectMedium(cdrom.name);
    await save(changed(vm, { cdrom: { name: cdrom.name, connected: false } }));
    const path = paths[cdrom.name];
    if (path !== undefined) await process.connectMedium(cdrom.name, path);
    vm = await save(changed(vm, { cdrom }));
  }
  return vm;
}

/** What fails is looked at again later: until then the VM goes to no other QEMU. @throws what `addMemory` throws */
async function grow(
  parts: Parts,
  running: Parameters<typeof addMemory>[1],
  device: MemoryDevice,
): Promise<Vm> {
  try {
    return await addMemory(parts, running, device);
  } catch (error) {
    parts.processes.unsettled(running.process);
    throw error;
  }
}

/** Whether what holds until the VM is powered off would be other than it is. */
const changesMachine = (vm: Vm, changes: VmChanges): boolean =>
  !isDeepStrictEqual(memoryLayoutOf(vm, { ...changes, memoryMib: undefined }), memoryLayoutOf(vm, {})) ||
  maxMemoryOf(vm, changes) !== vm.maxMemoryMib ||
  (changes.bootOrder !== undefined && !isDeepStrictEqual(changes.bootOrder, vm.bootOrder ?? null)) ||
  (changes.balloon === null && vm.balloon !== undefined);

/** The lease of a VM that does not run here, until it is disposed. @throws VM_HELD_ELSEWHERE, LEASE_HELD, LEASE_UNAVAILABLE */
export async function exclusively(leases: Parts["leases"], vm: Vm, host: string): Promise<AsyncDisposable> {
  const answer = await leases.acquire(vm, "EX");
  if (answer.kind === "refused") throw elsewhere(answer, vm, host);
  return {
    [Symbol.asyncDispose]: async () => {
      // What is not given back now, the reconciler of leases gives back.
      await leases.releaseUnlessShared(vm);
    },
  };
}

/** Of a holder that responds the VM is said to be there; what to do about a silent one, the lease's own error says. */
function elsewhere({ error }: LeaseAnswer & { kind: "refused" }, vm: Vm, host: string): GodwitError {
  if (!GodwitError.is(error, "LEASE_HELD")) return error;
  const { holders } = error.problem.details as { holders: { host: string; freeInMs?: number | null }[] };
  const others = holders.filter((holder) => holder.host !== host);
  if (others.length === 0 || others.some(({ freeInMs }) => freeInMs != null)) return error;
  const details = { vm: vm.name, host, holders: others.map((holder) => holder.host) };
  return GodwitError.of("VM_HELD_ELSEWHERE", details, { cause: error });
}
