/** The operations of `/agent/v1`. */
import type { agentOperations } from "@godwit/contract";
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
import type { HostSwitches } from "./networks/host-switches.ts";
import type { CertificateRenewal } from "./renewal.ts";
import type { CpuWeights } from "./vms/cpu-weights.ts";
import type { GuestWatchers } from "./vms/guest-watchers.ts";
import type { Relocations } from "./vms/relocations.ts";
import type { SetAside } from "./vms/set-aside.ts";
import type { Images } from "./images/images.ts";
import type { VmFiles } from "./vms/vm-files.ts";
import type { Exports } from "./vms/export-vm.ts";
import type { Snapshots } from "./vms/snapshots.ts";
import type { StoredVms } from "./vms/stored-vms.ts";
import type { Vms } from "./vms/vms.ts";

export interface AgentServices {
  facts: HostFactsReader;
  load: HostLoadReader;
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
  snapshots: Snapshots;
  exports: Exports;
  images: Images;
  guests: GuestWatchers;
  weights: CpuWeights;
}

export function handlers({
  facts,
  load,
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
  snapshots,
  exports,
  images,
  guests,
  weights,
}: AgentServices): Handlers<typeof agentOperations> {
  return {
    facts: () => facts.read(),
    load: () => load.read(),
    cpuWeightsPut: async ({ body }) => ({ failed: await weights.put(body.vms) }),
    certificatesShow: () => renewal.trust(),
    certificatesRenew: () => renewal.now(),
    membersPut: async ({ body }) => ({ generation: await members.take(body) }),
    datastoresPut: async ({ body }) => ({ refused: [...(await datastores.put(body))] }),
    networksPut: async ({ body }) => ({ refused: await switches.put(body) }),
    datastoreBrowse: async ({ params, query }) =>
      await datastores.browse(params.datastore, query.path ?? null),
    datastoreInit: async ({ params, body }) => ({
      isNew: await datastores.init(params.datastore, body.onRoot),
    }),
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
      return await stored.configure(params.vmId, body.datastore, body.name, body.changes);
    },
    vmClone: async ({ params, body }) => await stored.clone(params.vmId, body),
    vmExport: async ({ params, body }) => {
      await setAside.lookAgain(params.vmId);
      return await exports.export(params.vmId, body);
    },
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
      return await vms.start(body.vm, body.baseline, body.ownUser === true, body.memoryOf ?? null);
    },
    vmStop: async ({ params, body }) => {
      await setAside.lookAgain(params.vmId);
      await moves.settle(params.vmId);
      const leaseKept = await vms.stop(params.vmId, body.graceSeconds);
      return { stopped: true, leaseKept };
    },
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
    vmConsole: ({ params, query }) => consoles.open(params.vmId, query),
    vmDelete: async ({ params, query }) => {
      await stored.delete(params.datastore, params.name, query.disks);
      return undefined;
    },
    vmLeaseShow: async ({ params }) => await disks.show({ ...params, id: params.vmId }),
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
