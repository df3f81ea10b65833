/**
 * Takes a VM over from a host that is silent, without waiting until its lease runs out: where that host could write to the VM's disks it is
 * kept from it, by the persistent reservations of LUNs, and by the server with fence programs. Only then another lease counts: in which order,
 * `fence-steps.ts` of storage says. With programs it is done in two calls of the server: the first revokes the lease, then the server has the programs take
 * the host's access, and the second does all steps. What the VM is, is read from its storage: the silent host may have changed it last.
 */
import { GodwitError, writtenDatastores, type Lease, type Vm } from "@godwit/contract";
import {
  fenceInOrder,
  leaseNumberOf,
  readVm,
  volumesUnderWay,
  type Datastore,
  type DiskLeases,
  type FenceStep,
  type LeasedVm,
} from "@godwit/storage";
import { sleep } from "@godwit/system";
import { reasonOf } from "../reason.ts";
import type { Reservations } from "./reservations.ts";

export interface FenceParts {
  disks: Pick<DiskLeases, "silentLease" | "revoke" | "break" | "show">;
  reservations: Pick<Reservations, "mayTake" | "take">;
  /** @throws DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE */
  datastore: (name: string) => Promise<Datastore>;
  /** Names of this host's LUNs with reservations. */
  reserved: () => readonly string[];
  graceMs?: number;
}

/** By what a host is kept from writing to a VM's datastores. */
export interface FencedAt {
  luns: string[];
  programs: string[];
}

/** In which the agent of a host that still runs finds that its access is gone, and ends its VMs. */
const usualGraceMs = 6000;

/**
 * @param programs datastores with a fence program
 * @returns which of the VM's leases was revoked, and at which of those datastores the host has to be fenced now
 * @throws HOST_NOT_FENCED, LEASE_HOLDER_ALIVE, LEASE_HELD, DATASTORE_LEASES_UNAVAILABLE, DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE, SANLOCK_UNAVAILABLE
 */
export async function revokeVm(
  parts: FenceParts,
  vm: LeasedVm,
  host: string,
  programs: readonly string[],
): Promise<{ lease: number; datastores: string[] }> {
  const fence = await fenceOf(parts, vm, host, { programs, lease: null });
  await fenceInOrder(fence.actions, "takeAccess");
  return { lease: fence.lease, datastores: fence.at.programs };
}

/**
 * @param revoked the lease that was revoked, and where programs have fenced the host since
 * @throws HOST_NOT_FENCED, LEASE_HOLDER_ALIVE, LEASE_HELD, DATASTORE_LEASES_UNAVAILABLE, DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE, SANLOCK_UNAVAILABLE
 */
export async function fenceVm(
  parts: FenceParts,
  vm: LeasedVm,
  host: string,
  revoked: { lease: number; datastores: readonly string[] } | null = null,
): Promise<Lease> {
  const { actions } = await fenceOf(parts, vm, host, {
    programs: revoked?.datastores ?? [],
    lease: revoked?.lease ?? null,
  });
  await fenceInOrder(actions);
  return await parts.disks.show(vm);
}

async function fenceOf(
  parts: FenceParts,
  vm: LeasedVm,
  host: string,
  { programs, lease }: { programs: readonly string[]; lease: number | null },
): Promise<{ actions: Record<FenceStep, () => Promise<void>>; at: FencedAt; lease: number }> {
  const { disks, reservations } = parts;
  const notFenced = (error: unknown): never => {
    throw GodwitError.of("HOST_NOT_FENCED", {
      vm: vm.name,
      host,
      reason: reasonOf(error).replace(/\.$/, ""),
    });
  };
  const isOther = () => notFenced(new Error("another lease counts by now"));
  const revoked = await disks.silentLease(vm, host);
  // Access that was taken before the host could have this lease says nothing of it.
  if (lease !== null && leaseNumberOf(revoked) !== lease) isOther();
  const at = await fencedAtOfStored(parts, vm, programs).catch(notFenced);
  const actions = {
    prove: async () => {
      for (const lun of at.luns) await reservations.mayTake(lun, host).catch(notFenced);
    },
    revoke: () => disks.revoke(revoked, host).catch(notFenced),
    proveAgain: async () => {
      const { path } = await disks.silentLease(vm, host);
      if (path !== revoked.path) isOther();
    },
    takeAccess: async () => {
      // What was written of the VM before its lease was revoked counts.
      const now = await fencedAtOfStored(parts, vm, programs).catch(notFenced);
      for (const lun of new Set([...at.luns, ...now.luns]))
        await reservations.take(lun, host).catch(notFenced);
    },
    wait: () => sleep(parts.graceMs ?? usualGraceMs),
    succeed: async () => {
      await disks.break(vm, host, revoked);
    },
  };
  return { actions, at, lease: leaseNumberOf(revoked) };
}

/** @throws Error with the reason, the end of a sentence */
async function fencedAtOfStored(
  { datastore, reserved }: FenceParts,
  vm: LeasedVm,
  programs: readonly string[],
): Promise<FencedAt> {
  const home = await datastore(vm.datastore);
  const stored = await readVm(home, vm.name);
  if (stored.id !== vm.id) throw new Error("in its folder is another VM");
  // A copy that the host writes to a volume may go on: when the volume is removed, its blocks are another VM's.
  const disks = [...stored.disks, ...(await volumesUnderWay(home, stored))];
  const found = fencedAt({ ...stored, disks }, reserved(), programs);
  if ("problem" in found) throw new Error(found.problem);
  return found;
}

/** By what a host is fenced, if all that the VM's QEMU writes lies where it can be; or why not, the end of a sentence. Pure. */
export function fencedAt(
  vm: Pick<Vm, "datastore" | "disks" | "firmware" | "tpm">,
  reserved: readonly string[],
  programs: readonly string[],
): FencedAt | { problem: string } {
  const { disks, datastore: folder, firmware, tpm } = vm;
  if (disks.length === 0) return { problem: "it has no disks" };
  const hasProgram = (name: string) => programs.includes(name);
  if (!hasProgram(folder)) {
    if (firmware !== undefined) return { problem: "its UEFI variables lie with its folder" };
    if (tpm === true) return { problem: "the state of its TPM lies with its folder" };
  }
  const elsewhere = disks.find(
    ({ datastore = folder }) => !reserved.includes(datastore) && !hasProgram(datastore),
  );
  if (elsewhere !== undefined)
    return {
      problem: `its disk ${elsewhere.name} lies on no LUN with persistent reservations, and on no datastore with a fence program`,
    };
  const written = writtenDatastores(vm).sort();
  return { luns: written.filter((name) => !hasProgram(name)), programs: written.filter(hasProgram) };
}
