/** Copies a VM that does not run, under its exclusive lease: nobody writes to its disks meanwhile. */
import {
  GodwitError,
  nvramPath,
  type Vm,
  type VmClone,
  type VmDescription,
  type VmId,
} from "@godwit/contract";
import { cloneDescription, mustNotBeSuspended, readVm } from "@godwit/storage";
import type { AgentConfig } from "../config.ts";
import type { Leases } from "../leases/leases.ts";
import type { Processes } from "../qemu/processes.ts";
import type { Claims } from "./claims.ts";
import { exclusively } from "./configure-vm.ts";
import type { Environment } from "./environment.ts";
import { completeRevert } from "./snapshots.ts";

interface Parts {
  config: Pick<AgentConfig, "name">;
  claims: Claims;
  environment: Pick<Environment, "datastore" | "datastoresOf" | "checkOwnFiles">;
  processes: Pick<Processes, "of">;
  leases: Pick<Leases, "acquire" | "releaseUnlessShared">;
}

/**
 * @param make creates the copy from its description, whose images are disks of this VM, and its UEFI variables at this path
 * @throws VM_UNKNOWN, VM_RUNNING, VM_BUSY, VM_HELD_ELSEWHERE, LEASE_HELD, LEASE_UNAVAILABLE, DISK_IS_LUN and what the creation of a VM throws
 */
export async function cloneVm(
  { config, claims, environment, processes, leases }: Parts,
  id: VmId,
  { datastore, name, copy }: VmClone,
  make: (description: VmDescription, from: Vm, nvram: string) => Promise<Vm>,
): Promise<Vm> {
  const store = await environment.datastore(datastore);
  const before = await readVm(store, name);
  if (before.id !== id) throw GodwitError.of("VM_UNKNOWN", { vm: name });
  using _claim = await claims.claim(before, "it is being copied");
  if (processes.of(id) !== undefined) throw GodwitError.of("VM_RUNNING", { vm: name, host: config.name });
  await using _lease = await exclusively(leases, before, config.name);
  let vm = await readVm(store, name);
  mustNotBeSuspended(vm);
  await environment.checkOwnFiles(vm);
  if (vm.revertingTo !== undefined) vm = await completeRevert(await environment.datastoresOf(vm), vm);
  const volumeGroups = await volumeGroupsOf(environment, vm, copy.datastore);
  return await make(cloneDescription(vm, { ...copy, volumeGroups }), vm, store.resolve(nvramPath(name)));
}

/** Names of those that the VM's disks, or its copies, lie on. @throws DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE */
async function volumeGroupsOf(
  environment: Parts["environment"],
  vm: Vm,
  datastore: string | null,
): Promise<Set<string>> {
  const stores = await environment.datastoresOf(vm, datastore === null ? [] : [datastore]);
  return new Set(stores.volumeGroups.map((one) => one.name));
}
