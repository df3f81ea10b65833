/** Changes of a VM's description: what is refused at once, and the task that does the rest. */
import {
  balloonOf,
  balloonProblems,
  basisFor,
  bootOrderProblems,
  changesBalloon,
  changesLayout,
  changesMaximum,
  changesMemory,
  conflictsOf,
  drivesOf,
  hasProcess,
  GodwitError,
  maxMemoryOf,
  maxMemoryProblems,
  memoryGrowth,
  memoryLayoutOf,
  memoryProblems,
  mostTags,
  withTags,
  type CdromChange,
  type serverOperations,
  type TagChanges,
  type VmChanges,
  type VmView,
} from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import type { Services } from "../services.ts";
import { ableTo, allAbleTo } from "./able-to.ts";
import { checkCpuRequest } from "./cpu-request.ts";
import { withIds } from "./host-devices.ts";
import { hostFor } from "./host-for-command.ts";

type VmConfigureOperations = Pick<typeof serverOperations, "vmSet" | "vmCpuSet">;

export function vmConfigureHandlers(services: Services): Handlers<VmConfigureOperations> {
  const { store, tasks, admission } = services;

  return {
    vmCpuSet: async ({ params, body }) => {
      const vm = await store.vms.show(params.vm);
      checkCpuRequest(`the CPU of VM ${vm.name}`, body.cpu ?? undefined);
      const host = await hostFor(services, "configure", vm);
      const { datastore } = vm.config;
      return await tasks.start({
        kind: "vm.configure",
        request: { vm: { id: vm.id, name: vm.name }, host, datastore, changes: { cpuWish: body.cpu } },
      });
    },

    vmSet: async ({ params, body }) => {
      const vm = await store.vms.show(params.vm);
      const { basis, force = false, ...changes } = body;
      for (const drive of drivesOf(changes)) checkCdrom(vm, drive);
      checkCpuRequest(`the CPU of VM ${vm.name}`, changes.cpuWish ?? undefined);
      const conflicts = conflictsOf(vm.config, changes, basis ?? {}, false);
      if (conflicts.length > 0)
        throw GodwitError.of("VM_CHANGED_MEANWHILE", { vm: vm.name, changed: conflicts });
      if (body.tags !== undefined) checkTags(vm, body.tags);
      if (body.notes !== undefined || body.tags !== undefined)
        allAbleTo("annotations", await store.hosts.list());
      const resizes = changesMemory(changes);
      const plugs = hasProcess(vm) && mustGrow(vm, changes);
      checkMachine(vm, changes);
      const isAtRestOnly = body.tpm !== undefined || body.bootOrder !== undefined || changesLayout(changes);
      if (isAtRestOnly && hasProcess(vm)) throw GodwitError.of("VM_RUNNING", { vm: vm.name, host: vm.host });
      if (hasProcess(vm)) mustKeepBalloon(vm, changes);
      const host = await hostFor(services, "configure", vm);
      if (resizes) ableTo("devices", await store.hosts.list(), host);
      const devices =
        changes.hostDevices === undefined
          ? {}
          : {
              hostDevices: withIds(
                vm,
                changes.hostDevices,
                ableTo("hostDevices", await store.hosts.list(), host),
              ),
            };
      if (body.hugepages !== undefined || body.numa !== undefined)
        ableTo("guestMemory", await store.hosts.list(), host);
      if (body.topology !== undefined) ableTo("cpuTopology", await store.hosts.list(), host);
      if (body.bootOrder !== undefined) ableTo("bootOrder", await store.hosts.list(), host);
      if (body.balloon !== undefined) ableTo("balloon", await store.hosts.list(), host);
      if (body.maxMemoryMib !== undefined || plugs) ableTo("memoryHotPlug", await store.hosts.list(), host);
      if (basis !== undefined || body.cdroms !== undefined) ableTo("editVm", await store.hosts.list(), host);
      const { datastore } = vm.config;
      const begin = () =>
        tasks.start({
          kind: "vm.configure",
          request: {
            vm: { id: vm.id, name: vm.name },
            host,
            datastore,
            changes: { ...changes, ...devices },
            ...(basis === undefined ? {} : { basis: basisFor(changes, basis) }),
          },
        });
      const { memoryMib = vm.config.memoryMib } = changes;
      if (!plugs || force) return await begin();
      return await admission.begin({ ...vm, config: { ...vm.config, memoryMib } }, { host: vm.host }, begin);
    },
  };
}

/** @throws CDROM_UNKNOWN, CDROM_EMPTY */
function checkCdrom({ name: vm, config }: VmView, change: CdromChange): void {
  const drives = config.cdroms ?? [];
  const drive = drives.find(({ name }) => name === change.name);
  if (drive === undefined)
    throw GodwitError.of("CDROM_UNKNOWN", { vm, drive: change.name, known: drives.map(({ name }) => name) });
  if (change.connected && change.medium === undefined && drive.medium === null)
    throw GodwitError.of("CDROM_EMPTY", { vm, drive: drive.name });
}

/** @throws VM_DESCRIPTION_INVALID */
function checkMachine({ name, config }: VmView, changes: VmChanges): void {
  const { bootOrder } = changes;
  const problems = [
    ...(changesMemory(changes) ? memoryProblems(memoryLayoutOf(config, changes)) : []),
    ...(changesMaximum(changes)
      ? maxMemoryProblems({
          ...memoryLayoutOf(config, changes),
          maxMemoryMib: maxMemoryOf(config, changes),
          hostDevices: changes.hostDevices ?? config.hostDevices,
        })
      : []),
    ...(changesBalloon(changes)
      ? balloonProblems({
          ...memoryLayoutOf(config, changes),
          balloon: balloonOf(config, changes),
          hostDevices: changes.hostDevices ?? config.hostDevices,
        })
      : []),
    ...(bootOrder == null ? [] : bootOrderProblems({ ...config, bootOrder })),
  ].map(({ path, message }) => `${path.join(".")}: ${message}`);
  if (problems.length > 0)
    throw GodwitError.of("VM_DESCRIPTION_INVALID", { source: `of VM ${name}`, problems });
}

/** Of a VM that runs: its balloon neither comes nor goes. @throws BALLOON_MISSING, VM_RUNNING */
function mustKeepBalloon({ name: vm, host, config }: VmView, { balloon }: VmChanges): void {
  if (balloon === undefined || (balloon !== null) === (config.balloon !== undefined)) return;
  throw GodwitError.of(balloon === null ? "VM_RUNNING" : "BALLOON_MISSING", { vm, host });
}

/** Of a VM that runs memory is only added. @returns whether it is @throws VM_MEMORY_FIXED */
function mustGrow(
  { name: vm, config }: VmView,
  { memoryMib: wantedMib = config.memoryMib }: VmChanges,
): boolean {
  const growth = memoryGrowth(config, wantedMib);
  if (growth === null || "device" in growth) return growth !== null;
  const { memoryMib: nowMib, maxMemoryMib: maxMib = null } = config;
  throw GodwitError.of("VM_MEMORY_FIXED", { vm, reason: growth.problem, nowMib, wantedMib, maxMib });
}

/** @throws VM_TAGS_TOO_MANY */
function checkTags({ name: vm, config }: VmView, changes: TagChanges): void {
  if (withTags(config.tags ?? [], changes).length > mostTags)
    throw GodwitError.of("VM_TAGS_TOO_MANY", { vm, most: mostTags });
}
