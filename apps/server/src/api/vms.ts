/** VMs: creating, registering, power, checking, moving. Long work becomes a task after everything that can be refused was. */
import { randomUUID } from "node:crypto";
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
  datastoresOf,
  drivesOf,
  finding,
  hasAnnotations,
  hasMemoryLayout,
  hasModels,
  hasProcess,
  imageDatastores,
  isConverted,
  lunsOf,
  GodwitError,
  keptForecast,
  growsInMemory,
  maxMemoryOf,
  maxMemoryProblems,
  memoryGrowth,
  memoryLayoutOf,
  memoryProblems,
  mostCdroms,
  mostTags,
  seedDrive,
  summaryOf,
  wishedFirmware,
  withTags,
  type CdromChange,
  type CpuRequest,
  type HostFacts,
  type PageRequest,
  type serverOperations,
  type TagChanges,
  type VmChanges,
  type VmDescription,
  type VmId,
  type VmView,
} from "@godwit/contract";
import { cpuRequestProblems } from "@godwit/cpu";
import type { Handlers } from "@godwit/http";
import { fixesOf, mayMove } from "@godwit/requirements";
import { commonMachine, macConflict, type VmCommand } from "@godwit/placement";
import { adoptVms } from "../adopt-vms.ts";
import { checkMoves } from "../moves/check-moves.ts";
import { checkVm } from "../moves/check-vm.ts";
import { forecastMove } from "../moves/forecast-move.ts";
import { chooseKnownHost } from "../moves/choose-host.ts";
import { ruleFindings } from "../pools/check-rules.ts";
import { chooseInPool } from "../pools/choose-in-pool.ts";
import { moveRequest } from "../moves/move-request.ts";
import type { Services } from "../services.ts";
import { ableTo, allAbleTo } from "./able-to.ts";
import { withIds } from "./host-devices.ts";
import { hostFor as hostOf, reachable } from "./host-for-command.ts";
import { refused, startVm } from "./start-vm.ts";
import { usageOf } from "./vm-usage.ts";

type VmOperations = Pick<
  typeof serverOperations,
  | "vmCreate"
  | "vmRegister"
  | "vmRegisterAll"
  | "vmList"
  | "vmSummaryList"
  | "vmShow"
  | "vmCpuSet"
  | "vmSet"
  | "vmStart"
  | "vmStop"
  | "vmPause"
  | "vmSuspend"
  | "vmReset"
  | "vmResume"
  | "vmDelete"
  | "vmUnregister"
  | "vmCheck"
  | "moveCheck"
  | "vmMigrate"
  | "vmConsole"
>;

export function vmHandlers(services: Services): Handlers<VmOperations> {
  const { store, hosts, tasks, consoles, activities, admission, cpuLimits } = services;

  const hostFor = (command: VmCommand, vm: VmView, named?: string) => hostOf(services, command, vm, named);

  const withHostState = <Vm extends Pick<VmView, "host">>(vm: Vm) =>
    ({ ...vm, hostState: hosts.isUp(vm.host) ? "connected" : "unreachable" }) as const;

  return {
    vmCreate: async ({ body }) => {
      const { cloudInit } = body;
      const description = cloudInit === undefined ? body.description : withSeedDrive(body.description);
      const { name } = description;
      checkCpuRequest(`the description of VM ${name}`, description.cpu);
      if (await store.vms.isNameTaken(name)) throw GodwitError.of("VM_EXISTS", { vm: name });
      const nics = description.nics.flatMap(({ portGroup, mac }) =>
        mac === undefined ? [] : [{ portGroup, mac }],
      );
      const conflict = nics.length === 0 ? null : macConflict({ id: null, nics }, await store.vms.list());
      if (conflict !== null) throw GodwitError.of("MAC_IN_USE", { vm: name, ...conflict });
      await store.vms.mustHaveOwnDisks({ id: null, name, disks: lunsOf(description) });
      const host = await chooseKnownHost(
        services,
        {
          datastores: [...datastoresOf(description), ...imageDatastores(description)],
          nics: description.nics,
          size: description,
        },
        body.host,
      );
      const known = await store.hosts.list();
      if (description.disks.some(isConverted)) ableTo("importVm", known, host);
      if (hasModels(description)) ableTo("deviceModels", known, host);
      if (description.nics.some(({ connected }) => connected === false)) ableTo("devices", known, host);
      if (hasMemoryLayout(description)) ableTo("guestMemory", known, host);
      if (description.topology !== undefined) ableTo("cpuTopology", known, host);
      if (description.bootOrder !== undefined) ableTo("bootOrder", known, host);
      if (description.balloon !== undefined) ableTo("balloon", known, host);
      if (growsInMemory(description)) ableTo("memoryHotPlug", known, host);
      if (description.hostDevices !== undefined) ableTo("hostDevices", known, host);
      if (hasAnnotations(description)) allAbleTo("annotations", known);
      mustHaveFirmware(known, host, description);
      mustEmulateTpm(known, host, description);
      const whole = { ...description, machine: commonMachine(known, host, description) };
      const id = randomUUID() as VmId;
      if (cloudInit === undefined)
        return await tasks.start({ kind: "vm.create", request: { id, description: whole, host } });
      tasks.cloudInit.keep(id, cloudInit);
      const request = { id, description: whole, host, cloudInit: summaryOf(cloudInit) };
      return await tasks.start({ kind: "vm.create", request }).catch((error: unknown) => {
        tasks.cloudInit.drop(id);
        throw error;
      });
    },

    vmRegister: async ({ body }) => {
      const { datastore, name } = body;
      const host = await chooseKnownHost(services, { datastores: [datastore], nics: [] }, body.host);
      const link = hosts.of(host);
      const vm = await link.agent.call("vmRead", { params: { datastore, name } }).catch((error: unknown) => {
        throw link.unreachable(error);
      });
      // Where it runs is not in its folder: a host that runs it says so.
      const home = (await store.hosts.runnerOf(vm.id)) ?? host;
      await store.vms.enter(vm, { host: home, state: "stopped" });
      hosts.of(home).refresh();
      return await store.vms.show(vm.id);
    },

    vmRegisterAll: () => adoptVms(services),

    vmList: async ({ query }) => {
      const { rows, next } = await store.vms.page(tagged(query));
      return { vms: rows.map(withHostState), next };
    },
    vmSummaryList: async ({ query }) => {
      const { rows, next } = await store.vms.summaries(tagged(query));
      return { vms: rows.map(withHostState), next };
    },
    vmShow: async ({ params }) => {
      const view = await store.vms.show(params.vm);
      const [usage, cpuLimit] = await Promise.all([usageOf(store, view), cpuLimits.of(view)]);
      return { ...withHostState(view), ...usage, cpuLimit };
    },

    vmCpuSet: async ({ params, body }) => {
      const vm = await store.vms.show(params.vm);
      checkCpuRequest(`the CPU of VM ${vm.name}`, body.cpu ?? undefined);
      const host = await hostFor("configure", vm);
      const { datastore } = vm.config;
      return await tasks.start({
        kind: "vm.configure",
        request: { vm: referenceOf(vm), host, datastore, changes: { cpuWish: body.cpu } },
      });
    },

    vmSet: async ({ params, body }) => {
      const vm = await store.vms.show(params.vm);
      const { basis, ...changes } = body;
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
      const host = await hostFor("configure", vm);
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
      return await tasks.start({
        kind: "vm.configure",
        request: {
          vm: referenceOf(vm),
          host,
          datastore,
          changes: { ...changes, ...devices },
          ...(basis === undefined ? {} : { basis: basisFor(changes, basis) }),
        },
      });
    },

    vmStart: async ({ params, body }) => await startVm(services, await store.vms.show(params.vm), body),

    vmStop: async ({ params, body }) => {
      const vm = await store.vms.show(params.vm);
      const host = await hostFor("stop", vm);
      return await tasks.start({
        kind: "vm.stop",
        request: { vm: referenceOf(vm), host, graceSeconds: body.graceSeconds },
      });
    },

    vmPause: async ({ params }) => {
      const vm = await store.vms.show(params.vm);
      const host = await hostFor("pause", vm);
      return await tasks.start({ kind: "vm.pause", request: { vm: referenceOf(vm), host } });
    },

    vmSuspend: async ({ params }) => {
      const vm = await store.vms.show(params.vm);
      const host = await hostFor("pause", vm);
      ableTo("suspend", await store.hosts.list(), host);
      const home = vm.config.datastore;
      return await tasks.start({ kind: "vm.suspend", request: { vm: referenceOf(vm), host, home } });
    },

    vmReset: async ({ params }) => {
      const vm = await store.vms.show(params.vm);
      const host = await hostFor("reset", vm);
      return await tasks.start({ kind: "vm.reset", request: { vm: referenceOf(vm), host } });
    },

    vmResume: async ({ params }) => {
      const vm = await store.vms.show(params.vm);
      const host = await hostFor("resume", vm);
      return await tasks.start({ kind: "vm.resume", request: { vm: referenceOf(vm), host } });
    },

    vmDelete: async ({ params, query }) => {
      const vm = await store.vms.show(params.vm);
      const host = await hostFor("delete", vm);
      return await tasks.start({
        kind: "vm.delete",
        request: { vm: referenceOf(vm), datastore: vm.config.datastore, host, disks: query.disks },
      });
    },

    vmUnregister: async ({ params }) => {
      const vm = await store.vms.show(params.vm);
      await hostFor("unregister", vm);
      await store.vms.remove(vm.id, null);
      return undefined;
    },

    vmConsole: async ({ params, query }) => {
      const vm = await store.vms.show(params.vm);
      const take = consoles.open(vm, query);
      await reachable(services, vm.host);
      return take;
    },

    vmCheck: async ({ params, body }) => {
      const vm = await store.vms.show(params.vm);
      const to = (await store.hosts.show(body.to)).name;
      if (vm.host === to) {
        const already = finding("VM_ALREADY_THERE", { vm: vm.name, host: to });
        return { vm: vm.name, from: vm.host, to, allowed: false, findings: [already], forecast: null };
      }
      const verdict = await checkVm(services, vm, to, body);
      const findings = [...verdict.findings, ...(await ruleFindings(services, vm, to))];
      const allowed = mayMove(findings);
      const isPlayed = body.forecast && allowed && body.strategy === "auto" && hasProcess(vm);
      const activity = isPlayed ? await activities.measure(vm) : null;
      const forecast =
        activity === null ? null : await forecastMove(services, vm, to, body, verdict, activity);
      return { vm: vm.name, from: vm.host, to, allowed, findings, fixes: fixesOf(findings), forecast };
    },

    moveCheck: async ({ body }) => {
      const { vms, to, strategy } = body;
      return await checkMoves(services, {
        vms: await (vms === undefined ? store.vms.list() : Promise.all(vms.map((vm) => store.vms.show(vm)))),
        to: (
          await (to === undefined
            ? store.hosts.list()
            : Promise.all(to.map((host) => store.hosts.show(host))))
        ).map(({ name }) => name),
        strategy,
      });
    },

    vmMigrate: async ({ params, body }) => {
      const vm = await store.vms.show(params.vm);
      if (body.datastore !== undefined) checkCarried(vm, body);
      const { name: to } = await store.hosts.show(body.to ?? (await chooseInPool(services, vm)));
      if (vm.host === to) throw GodwitError.of("VM_ALREADY_THERE", { vm: vm.name, host: to });
      const [verdict, ofRules] = await Promise.all([
        checkVm(services, vm, to, body),
        ruleFindings(services, vm, to, body),
      ]);
      const findings = [...verdict.findings, ...ofRules];
      if (!mayMove(findings)) throw refused(vm, to, findings);
      const request = moveRequest(vm, verdict.runtime, to, body, verdict.postcopyRecovers);
      const comesToPool =
        hasProcess(vm) &&
        body.force !== true &&
        (await store.pools.ofHost(vm.host))?.name !== (await store.pools.ofHost(to))?.name;
      const enter = async (task: typeof request) =>
        comesToPool
          ? await admission.begin(vm, { host: to }, () => tasks.start(task))
          : await tasks.start(task);
      if (request.kind !== "vm.migrate" || body.strategy !== "auto") return await enter(request);
      const activity = activities.recent(vm.id) ?? (body.forecast ? await activities.measure(vm) : null);
      const forecasts =
        activity === null ? null : await forecastMove(services, vm, to, body, verdict, activity);
      if (forecasts === null) return await enter(request);
      const forecast = keptForecast(forecasts);
      return await enter({ ...request, request: { ...request.request, forecast } });
    },
  };
}

const tagged = ({ tags, ...page }: PageRequest & { tags?: string | undefined }) => ({
  ...page,
  tags: tags?.split(",") ?? [],
});

const referenceOf = ({ id, name }: VmView) => ({ id, name });

/** @throws UEFI_FIRMWARE_MISSING, also where its agent knows of none */
function mustHaveFirmware(
  hosts: readonly { name: string; facts: HostFacts | null }[],
  host: string,
  description: VmDescription,
): void {
  const { name: vm } = description;
  const wished = wishedFirmware(description);
  if (wished === undefined) return;
  const { secureBoot } = wished;
  const builds = hosts.find(({ name }) => name === host)?.facts?.uefi ?? [];
  if (!builds.some((one) => one.secureBoot === secureBoot))
    throw GodwitError.of("UEFI_FIRMWARE_MISSING", { vm, host, secureBoot });
}

/** @throws TPM_UNAVAILABLE */
function mustEmulateTpm(
  hosts: readonly { name: string; facts: HostFacts | null }[],
  host: string,
  { name: vm, tpm }: VmDescription,
): void {
  const facts = hosts.find(({ name }) => name === host)?.facts;
  if (tpm === true && facts?.tpmEmulator !== true) throw GodwitError.of("TPM_UNAVAILABLE", { vm, host });
}

/** That a VM may be asked to move together with its disks. @throws REQUEST_INVALID, VM_NOT_RUNNING */
function checkCarried(vm: VmView, { to }: { to?: string | undefined }): void {
  if (to === undefined)
    throw GodwitError.of("REQUEST_INVALID", {
      where: "move of a VM with its disks",
      problems: ["to: the host must be named that has the datastore"],
    });
  if (!hasProcess(vm)) throw GodwitError.of("VM_NOT_RUNNING", { vm: vm.name, state: vm.state });
}

/** @throws SEED_DRIVE_TAKEN */
function withSeedDrive(description: VmDescription): VmDescription {
  const { name: vm, cdroms = [] } = description;
  const drive = seedDrive(vm);
  if (cdroms.length >= mostCdroms || cdroms.some(({ name }) => name === drive.name))
    throw GodwitError.of("SEED_DRIVE_TAKEN", { vm, drive: drive.name, most: mostCdroms });
  return { ...description, cdroms: [...cdroms, drive] };
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

/** @throws VM_DESCRIPTION_INVALID */
function checkCpuRequest(source: string, request: CpuRequest | undefined): void {
  const problems = cpuRequestProblems(request).map(
    ({ path, message }) => `cpu.${path.join(".")}: ${message}`,
  );
  if (problems.length > 0) throw GodwitError.of("VM_DESCRIPTION_INVALID", { source, problems });
}
