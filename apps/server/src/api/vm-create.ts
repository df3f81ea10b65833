/** A VM that is made: what its host must be able to do is looked at before the task begins. */
import { randomUUID } from "node:crypto";
import {
  datastoresOf,
  hasAnnotations,
  hasLinkedDisks,
  hasMemoryLayout,
  hasModels,
  imageDatastores,
  isConverted,
  lunsOf,
  GodwitError,
  growsInMemory,
  mostCdroms,
  seedDrive,
  summaryOf,
  wishedFirmware,
  type HostFacts,
  type serverOperations,
  type VmDescription,
  type VmId,
} from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import { commonMachine, macConflict } from "@godwit/placement";
import { chooseKnownHost } from "../moves/choose-host.ts";
import type { Services } from "../services.ts";
import { ableTo, allAbleTo } from "./able-to.ts";
import { checkCpuRequest } from "./cpu-request.ts";

type VmCreateOperations = Pick<typeof serverOperations, "vmCreate">;

export function vmCreateHandlers(services: Services): Handlers<VmCreateOperations> {
  const { store, tasks } = services;

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
      mustBeLinkable(description);
      if (hasLinkedDisks(description)) ableTo("linkedDisks", known, host);
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
  };
}

/** As far as it is known here; the host knows more. @throws DISK_NOT_LINKABLE */
function mustBeLinkable({ name: vm, datastore: home, disks }: VmDescription): void {
  for (const { name: disk, linked, datastore = home, imageDatastore = datastore } of disks)
    if (linked === true && imageDatastore !== datastore)
      throw GodwitError.of("DISK_NOT_LINKABLE", { vm, disk, reason: "elsewhere", what: imageDatastore });
}

/** @throws SEED_DRIVE_TAKEN */
function withSeedDrive(description: VmDescription): VmDescription {
  const { name: vm, cdroms = [] } = description;
  const drive = seedDrive(vm);
  if (cdroms.length >= mostCdroms || cdroms.some(({ name }) => name === drive.name))
    throw GodwitError.of("SEED_DRIVE_TAKEN", { vm, drive: drive.name, most: mostCdroms });
  return { ...description, cdroms: [...cdroms, drive] };
}

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
