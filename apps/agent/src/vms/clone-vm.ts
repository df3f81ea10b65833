/**
 * Copies a VM that does not run, under its exclusive lease: nobody writes to its disks meanwhile. In full, or linked: then its disks and the
 * copy's share what they have in common.
 */
import {
  GodwitError,
  isBlockPath,
  nvramPath,
  type Vm,
  type VmClone,
  type VmDescription,
  type VmId,
} from "@godwit/contract";
import { cloneDescription, freezeDisk, mustNotBeSuspended, readVm } from "@godwit/storage";
import type { AgentConfig } from "../config.ts";
import type { Leases } from "../leases/leases.ts";
import type { Processes } from "../qemu/processes.ts";
import type { Claims } from "./claims.ts";
import { exclusively } from "./configure-vm.ts";
import { ownerOf } from "./devices/disk-changes.ts";
import type { Environment } from "./environment.ts";
import { completeRevert } from "./snapshots.ts";
import { tidyFreezing } from "./tidy-freezing.ts";

interface Parts {
  config: Pick<AgentConfig, "name" | "qemu">;
  claims: Claims;
  environment: Pick<Environment, "datastore" | "datastoresOf" | "checkOwnFiles">;
  processes: Pick<Processes, "of">;
  leases: Pick<Leases, "acquire" | "releaseUnlessShared">;
}

/**
 * @param make creates the copy from its description, whose images are disks of this VM, and its UEFI variables at this path
 * @throws VM_UNKNOWN, VM_RUNNING, VM_BUSY, VM_HELD_ELSEWHERE, LEASE_HELD, LEASE_UNAVAILABLE, DISK_IS_LUN, DISK_NOT_LINKABLE and what the creation of a VM throws
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
  await tidyFreezing(environment, vm);
  if (copy.linked === true) vm = await withBases({ config, environment }, vm, copy.datastore);
  const volumeGroups = await volumeGroupsOf(environment, vm, copy.datastore);
  return await make(cloneDescription(vm, { ...copy, volumeGroups }), vm, store.resolve(nvramPath(name)));
}

/** The VM whose disks can all be linked to: those that have no base get one. @throws DISK_NOT_LINKABLE and what freezing a disk throws */
async function withBases(
  { config, environment }: Pick<Parts, "config" | "environment">,
  before: Vm,
  to: string | null,
): Promise<Vm> {
  const { name } = before;
  for (const { name: disk, datastore = before.datastore, path } of before.disks) {
    const refused = (reason: "block" | "elsewhere", what: string | null) =>
      GodwitError.of("DISK_NOT_LINKABLE", { vm: name, disk, reason, what });
    if (isBlockPath(path)) throw refused("block", null);
    if (to !== null && to !== datastore) throw refused("elsewhere", datastore);
  }
  const stores = await environment.datastoresOf(before);
  let vm = before;
  for (const disk of before.disks) {
    if (disk.base !== undefined) continue;
    const user = await ownerOf(stores.pathOf(disk), config.qemu.user);
    try {
      vm = await freezeDisk(stores, vm, { disk, user });
    } catch (error) {
      // What `vm.json` says holds, and what was made beside it goes; where that fails now, whoever comes next does it.
      await tidyFreezing(environment, vm).catch(() => undefined);
      throw error;
    }
  }
  return vm;
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
