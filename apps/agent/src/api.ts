/** The operations of `/agent/v1`. */
import type { agentOperations, AnnouncedMacs, CpuLimit, VmId } from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import type { DatastoreOrders } from "./datastore-orders.ts";
import type { HostCommands } from "./commands/host-commands.ts";
import type { Consoles } from "./consoles/consoles.ts";
import type { EventLog } from "./event-log.ts";
import type { HostFactsReader } from "./host/facts.ts";
import type { HostLoadReader } from "./host/load.ts";
import type { Members } from "./members.ts";
import type { MigrationPath } from "./migration-path/migration-path.ts";
import type { Moves } from "./moves/moves.ts";
import type { DiskLeases } from "@godwit/storage";
import { fenceVm, revokeVm, type FenceParts } from "./reservations/fence-vm.ts";
import type { Reservations } from "./reservations/reservations.ts";
import type { HostSwitches } from "./networks/host-switches.ts";
import type { CertificateRenewal } from "./renewal.ts";
import type { CpuWeights } from "./vms/cpu-weights.ts";
import type { GuestWatchers } from "./vms/guest-watchers.ts";
import type { Relocations } from "./vms/relocations.ts";
import type { SetAside } from "./vms/set-aside.ts";
import type { Images } from "./images/images.ts";
import type { VmFiles } from "./vms/vm-files.ts";
import type { Devices } from "./vms/devices/devices.ts";
import type { Exports } from "./vms/export-vm.ts";
import type { Uploads } from "./uploads.ts";
import type { Snapshots } from "./vms/snapshots.ts";
import type { Suspensions } from "./vms/suspensions.ts";
import type { Starts } from "./vms/starts.ts";
import type { StoredVms } from "./vms/stored-vms.ts";
import type { Vms } from "./vms/vms.ts";

export interface AgentServices {
  facts: HostFactsReader;
  load: HostLoadReader;
  starts: Starts;
  vms: Vms;
  stored: StoredVms;
  disks: DiskLeases;
  moves: Moves;
  path: MigrationPath;
  consoles: Consoles;
  events: EventLog;
  members: Members;
  setAside: SetAside;
  files: VmFiles;
  renewal: CertificateRenewal;
  datastores: DatastoreOrders;
  switches: HostSwitches;
  commands: HostCommands;
  relocations: Relocations;
  devices: Devices;
  snapshots: Snapshots;
  suspensions: Suspensions;
  uploads: Uploads;
  exports: Exports;
  images: Images;
  guests: GuestWatchers;
  weights: CpuWeights;
  reservations: Pick<Reservations, "reserve">;
  fence: FenceParts;
  cpuLimits: { put: (vms: readonly CpuLimit[]) => Promise<{ id: VmId; reason: string }[]> };
  announce: (id: VmId) => Promise<AnnouncedMacs>;
}

export function handlers({
  facts,
  load,
  starts,
  vms,
  stored,
  disks,
  moves,
  path,
  consoles,
  events,
  members,
  setAside,
  files,
  renewal,
  datastores,
  switches,
  commands,
  relocations,
  devices,
  snapshots,
  suspensions,
  uploads,
  exports,
  images,
  guests,
  weights,
  reservations,
  fence,
  cpuLimits,
  announce,
}: AgentServices): Handlers<typeof agentOperations> {
  return {
    facts: () => facts.read(),
    load: () => load.read(),
    cpuWeightsPut: async ({ body }) => ({ failed: await weights.put(body.vms) }),
    cpuLimitsPut: async ({ body }) => ({ failed: await cpuLimits.put(body.vms) }),
    certificatesShow: () => renewal.trust(),
    certificatesRenew: () => renewal.now(),
    membersPut: async ({ body }) => ({ generation: await members.take(body) }),
    datastoresPut: async ({ body }) => ({ refused: [...(await datastores.put(body))] }),
    networksPut: async ({ body }) => ({ refused: await switches.put(body) }),
    datastoreBrowse: async ({ params, query }) =>
      await datastores.browse(params.datastore, query.path ?? null),
    datastoreUpload: async ({ params, query }) => await uploads.open(params.datastore, query),
    datastoreInit: async ({ params, body }) => ({
      isNew: await datastores.init(params.datastore, body.onRoot),
    }),
    datastoreReserve: async ({ params, body }) => {
      await reservations.reserve(params.datastore, body.hosts);
      return undefined;
    },
    imageAdd: async ({ body }) => await images.add(body),
    imageAddCancel: ({ params }) => {
      images.cancel(params.id);
      return undefined;
    },
    imageDelete: async ({ query }) => {
      await images.delete(query.datastore, query.path);
      return undefined;
    },
    commandStart: async ({ params, body }) => await commands.start(params.commandId, body),
    commandShow: async ({ params }) => await commands.show(params.commandId),
    hostReboot: async ({ body }) => await commands.reboot(body.bootId),
    hostPowerOff: async ({ body }) => await commands.powerOff(body.bootId),
    events: ({ query, signal }) => events.after(query.after ?? events.lastId, signal),
    vmCreate: async ({ body }) => await stored.create(body.id, body.description, body.cloudInit),
    vmImportRead: async ({ body }) => await stored.readImport(body),
    vmRead: async ({ params }) => await stored.read(params.datastore, params.name),
    vmFolderList: () => stored.folders(),
    vmFilesLook: async ({ body }) => ({ vms: await files.look(body.vms) }),
    vmConfigure: async ({ params, body }) => {
      await setAside.lookAgain(params.vmId);
      await moves.settle(params.vmId);
      return await stored.configure({ id: params.vmId, ...body });
    },
    vmClone: async ({ params, body }) => await stored.clone(params.vmId, body),
    vmCloneCancel: ({ body }) => {
      stored.cancelClone(body);
      return undefined;
    },
    vmExport: async ({ params, body }) => {
      await setAside.lookAgain(params.vmId);
      return await exports.export(params.vmId, body);
    },
    vmDeviceChange: async ({ params, body }) => {
      await setAside.lookAgain(params.vmId);
      await moves.settle(params.vmId);
      return await devices.change(params.vmId, body);
    },
    vmDeviceCancel: async ({ params, body }) => await devices.cancel(params.vmId, body),
    vmDisksShow: async ({ params }) => ({ disks: await devices.disks(params.datastore, params.name) }),
    vmDisksRelocate: async ({ params, body }) => {
      await setAside.lookAgain(params.vmId);
      await moves.settle(params.vmId);
      return await relocations.relocate(params.vmId, body);
    },
    vmDisksSettle: async ({ params, body }) =>
      await relocations.settle(params.vmId, body.datastore, body.name),
    vmSnapshotCreate: async ({ params, body }) => {
      await setAside.lookAgain(params.vmId);
      await moves.settle(params.vmId);
      return await snapshots.create(params.vmId, body);
    },
    vmSnapshotDelete: async ({ params, body }) => {
      await setAside.lookAgain(params.vmId);
      await moves.settle(params.vmId);
      return await snapshots.delete(params.vmId, body);
    },
    vmSnapshotRevert: async ({ params, body: { withMemory, ...order } }) => {
      await setAside.lookAgain(params.vmId);
      await moves.settle(params.vmId);
      return await snapshots.revert(params.vmId, order, withMemory);
    },
    vmStart: async ({ body }) => {
      await setAside.lookAgain(body.vm.id);
      await moves.settle(body.vm.id);
      return await starts.start(body.vm, {
        baseline: body.baseline,
        ownUser: body.ownUser === true,
        snapshot: body.memoryOf ?? null,
        discardMemory: body.discardMemory === true,
        pluggable: body.pluggable === true,
      });
    },
    vmStop: async ({ params, body }) => {
      await setAside.lookAgain(params.vmId);
      await moves.settle(params.vmId);
      const leaseKept = await vms.stop(params.vmId, body.graceSeconds);
      return { stopped: true, leaseKept };
    },
    vmSuspend: async ({ params, body }) => {
      await setAside.lookAgain(params.vmId);
      await moves.settle(params.vmId);
      return await suspensions.suspend(params.vmId, body, body.task);
    },
    vmSuspendCancel: async ({ params, body }) => ({
      cancelled: await suspensions.cancel(params.vmId, body, body.task),
    }),
    vmPause: async ({ params }) => {
      await moves.settle(params.vmId);
      return await vms.pause(params.vmId);
    },
    vmResume: async ({ params }) => {
      await moves.settle(params.vmId);
      return await vms.resume(params.vmId);
    },
    vmReset: async ({ params, body }) => {
      await moves.settle(params.vmId);
      return await vms.reset(params.vmId, body.id, body.unlessItAnswers);
    },
    guestsWatch: ({ body }) => ({ guests: guests.watch(body.vms) }),
    vmActivity: async ({ params }) => await vms.activity(params.vmId),
    vmAddresses: async ({ params }) => await vms.addresses(params.vmId),
    vmAnnounce: async ({ params }) => await announce(params.vmId),
    vmConsole: ({ params, query }) => consoles.open(params.vmId, query),
    vmDelete: async ({ params, query }) => {
      await stored.delete(params.datastore, params.name, query.disks);
      return undefined;
    },
    vmLeaseShow: async ({ params }) => await disks.show({ ...params, id: params.vmId }),
    vmLeaseRevoke: async ({ params, body }) =>
      await revokeVm(fence, { ...params, id: params.vmId }, body.host, body.programs),
    vmLeaseFence: async ({ params, body }) =>
      await fenceVm(fence, { ...params, id: params.vmId }, body.host, body.revoked ?? null),
    vmLeaseBreak: async ({ params, body }) => await disks.break({ ...params, id: params.vmId }, body.host),
    probeListen: async ({ body }) => await path.listen(body.secret),
    probeRun: async ({ body }) => await path.run(body),
    moveStart: async ({ body }) => {
      await setAside.lookAgain(body.vm.id);
      return await moves.start(body);
    },
    moveShow: ({ params }) => moves.show(params.moveId),
    moveSet: ({ params, body }) => moves.setLimits(params.moveId, body.limits, body.because),
    moveCancel: ({ params }) => moves.cancel(params.moveId),
  };
}
