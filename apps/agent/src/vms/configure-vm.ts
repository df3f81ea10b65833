/**
 * Changes a VM's description in its folder and, where it runs on this host, what can change while it runs: CPU affinity and
 * CD-ROM drives. A TPM comes and goes at rest. What is asked of its CPU holds from its next power-on. Where it does not run here, the description is
 * changed under its exclusive lease: a host that has lost the VM would change what another host's QEMU does not follow.
 */
import { GodwitError, type Vm, type VmChanges, type VmId } from "@godwit/contract";
import { makeTpmState, readVm, saveVm } from "@godwit/storage";
import type { AgentConfig } from "../config.ts";
import type { LeaseAnswer, Leases } from "../leases/leases.ts";
import type { Processes } from "../qemu/processes.ts";
import type { Claims } from "./claims.ts";
import { bindTo, checkCpuAffinity } from "./cpu-affinity.ts";
import type { Environment } from "./environment.ts";
import { changed } from "./vm-changes.ts";

export interface Configuration {
  id: VmId;
  datastore: string;
  name: string;
  changes: VmChanges;
}

interface Parts {
  config: AgentConfig;
  claims: Claims;
  environment: Environment;
  processes: Processes;
  leases: Pick<Leases, "acquire" | "releaseUnlessShared">;
}

/**
 * Asked again after it was cut off, it completes what is left.
 * @throws VM_UNKNOWN, VM_BUSY, VM_HELD_ELSEWHERE, LEASE_HELD, LEASE_UNAVAILABLE, CDROM_UNKNOWN, CDROM_EMPTY, CDROM_MEDIUM_MISSING, CDROM_MEDIUM_UNUSABLE, CPU_AFFINITY_UNAVAILABLE, VM_RUNNING, TPM_UNAVAILABLE, TPM_STATE_UNUSABLE,
 *   SPACE_SHORT, QMP_REFUSED
 */
export async function configureVm(
  { config, claims, environment, processes, leases }: Parts,
  { id, datastore, name, changes }: Configuration,
): Promise<Vm> {
  const store = await environment.datastore(datastore);
  const stored = await readVm(store, name);
  if (stored.id !== id) throw GodwitError.of("VM_UNKNOWN", { vm: name });
  using _claim = await claims.claim(stored, "its description is being changed");
  const process = processes.of(id);
  await using _lease = process === undefined ? await exclusively(leases, stored, config.name) : null;
  const save = async (vm: Vm): Promise<Vm> => {
    await saveVm(store, vm);
    await process?.updateVm(vm);
    return vm;
  };
  const { cdrom, ...others } = changes;
  if (others.tpm !== undefined && others.tpm !== (stored.tpm === true)) {
    if (process !== undefined) throw GodwitError.of("VM_RUNNING", { vm: name, host: config.name });
    if (others.tpm) {
      await environment.mustEmulateTpm(name);
      await makeTpmState(store, { vm: name, isOwn: true });
    }
  }
  await checkCpuAffinity({ name, cpuAffinity: others.cpuAffinity }, config.name);
  const vm = await save(changed(stored, others));
  if (process !== undefined && others.cpuAffinity !== undefined) await bindTo(process, others.cpuAffinity);
  if (cdrom === undefined) return vm;
  const wanted = changed(vm, { cdrom });
  const paths = await environment.mediumPaths(wanted, process === undefined ? null : process.user);
  if (process !== undefined) {
    // What fails from here on leaves the drive disconnected, which is what its description says by then.
    await process.disconnectMedium(cdrom.name);
    await save(changed(vm, { cdrom: { name: cdrom.name, connected: false } }));
    const path = paths[cdrom.name];
    if (path !== undefined) await process.connectMedium(cdrom.name, path);
  }
  return await save(wanted);
}

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
