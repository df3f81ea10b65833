/**
 * A VM that is made: its folder, its disks, and last of all its description. What an attempt that was cut off has left is known by the
 * mark in the folder.
 */
import { mkdir, rm, rmdir } from "node:fs/promises";
import { basename, join } from "node:path";
import {
  cdromOf,
  GodwitError,
  storedAnnotations,
  storedModel,
  versioned,
  wishedFirmware,
  type CloudInit,
  type HostDevice,
  type Vm,
  type VmDescription,
  type VmDisk,
  type VmId,
} from "@godwit/contract";
import { readFileOrNull, UndoStack, userIds, writeFileAtomic } from "@godwit/system";
import { checkDisk } from "./check-file.ts";
import { makeDisks } from "./disk-images.ts";
import type { CopiedVm, DisksToMake } from "./disks-to-make.ts";
import { makeNvram } from "./nvram.ts";
import { makeSeed, removeSeed } from "./seed/seed-image.ts";
import { makeTpmState } from "./tpm-state.ts";
import { removeUnfinishedDisks } from "./unfinished-disks.ts";
import type { VmDatastores } from "./vm-datastores.ts";
import { readVmFile, vmFile } from "./vm-file.ts";
import { creatingFile, saveVm } from "./vm-folder.ts";
import { volumeImageOf } from "./volume-image.ts";

/** What a description leaves open and the host decides. */
export interface CompletionDefaults {
  machine: string;
  cpu: Vm["cpu"];
  /** A MAC address for each NIC that has none. */
  macs: string[];
  /** What is at the addresses of the host devices that are asked for. Absent: none are. */
  hostDevices?: HostDevice[];
}

export interface CreateOptions {
  id: VmId;
  description: VmDescription;
  /** What the guest is told at its first boot; null: it is not known any more. */
  cloudInit?: CloudInit | null | undefined;
  defaults: CompletionDefaults;
  /** The user that QEMU runs as; owns the images. */
  owner: string;
  host: string;
  /** A VM whose disks are copied; absent: no image is a disk of another VM. */
  imagesOf?: CopiedVm | undefined;
  /** What the UEFI variables are a copy of, absolute; absent: the VM boots by the BIOS. */
  nvramTemplate?: string | undefined;
  /** Hears how far the copy of an image is, now and then. */
  onCopy?: DisksToMake["onCopy"];
  /** Ends it until its disks are whole; nothing is left of it then. */
  signal?: AbortSignal | undefined;
  /** Hears what of an attempt that failed could not be removed, like "remove the volume". */
  onLeft?: (what: string, error: unknown) => void;
}

/**
 * Creates a VM's folder with its disks. Called again with the same id it returns the VM that is there.
 * @throws VM_EXISTS, DISK_EXISTS, DISK_MISSING, DISK_OF_OTHER_VM, DISK_IN_USE, DISK_NOT_OWN, SPACE_SHORT, SEED_EXISTS, SEED_LOST, TPM_STATE_UNUSABLE, and what the inspection of an image throws; the signal's reason
 */
export async function createVm(stores: VmDatastores, options: CreateOptions): Promise<Vm> {
  const { id, description, cloudInit, owner, host } = options;
  const datastore = stores.own;
  const folder = datastore.resolve(description.name);
  const existing = await readVmFile(datastore, description.name);
  if (existing !== null) {
    if (existing.id === id) return existing;
    throw GodwitError.of("VM_EXISTS", { vm: description.name });
  }
  await checkSpace(stores, description);
  await checkFiles(stores, options);

  await using undo = new UndoStack(options.onLeft ?? (() => undefined));
  // A folder without vm.json is what a crash left of an earlier attempt, or a folder of the user's: kept then.
  const made = await mkdir(folder, { recursive: true });
  if (made !== undefined) undo.push("remove the VM's folder", () => rmdir(folder));
  if ((await datastore.look(description.name)) !== "folder") {
    throw GodwitError.of("VM_DESCRIPTION_INVALID", {
      source: join(folder, vmFile),
      problems: [`${folder} is a symbolic link or no folder`],
    });
  }
  // Says whose the files in it are, while they are not a VM's yet.
  const marker = join(folder, creatingFile);
  const isRetry = (await readFileOrNull(marker))?.trim() === id;
  if (cloudInit === null) {
    if (isRetry) await removeSeed(datastore, description.name);
    throw GodwitError.of("SEED_LOST", { vm: description.name, host });
  }
  await writeFileAtomic(marker, `${id}\n`);
  undo.push("remove the mark of a VM that is being made", () => rm(marker, { force: true }));
  if (isRetry)
    undo.push("remove what an earlier attempt left", () =>
      removeUnfinishedDisks(stores, { id, description }),
    );
  const user = await userIds(owner);
  if (cloudInit !== undefined)
    await makeSeed(datastore, { id, vm: description.name, cloudInit, user, isRetry }, undo);
  const { nvramTemplate: template } = options;
  if (template !== undefined)
    await makeNvram(datastore, { vm: description.name, template, user, isRetry }, undo);
  if (description.tpm === true) await makeTpmState(datastore, { vm: description.name, isOwn: isRetry }, undo);
  const disks = await makeDisks(
    stores,
    {
      ...{ id, vm: description.name, disks: description.disks, user, host, isRetry },
      ...{ imagesOf: options.imagesOf, onCopy: options.onCopy, signal: options.signal },
    },
    undo,
  );
  options.signal?.throwIfAborted();
  const vm = complete(options, disks);
  await saveVm(datastore, vm);
  undo.commit();
  await rm(marker, { force: true });
  return vm;
}

function complete({ id, description, defaults }: CreateOptions, disks: VmDisk[]): Vm {
  const { name, datastore, memoryMib, vcpus, boot, guestAgent, cdroms = [], cpuAffinity } = description;
  const { hugepages, numa, topology, bootOrder, balloon, maxMemoryMib } = description;
  const firmware = wishedFirmware(description);
  let spare = 0;
  return versioned({
    version: 1,
    id,
    name,
    datastore,
    memoryMib,
    vcpus,
    cpu: defaults.cpu,
    ...(description.cpu === undefined ? {} : { cpuWish: description.cpu }),
    machine: description.machine ?? defaults.machine,
    disks,
    nics: description.nics.map(({ portGroup, mac, addresses, model, connected }) => ({
      portGroup,
      mac: mac ?? (defaults.macs[spare++] as string),
      ...(addresses === undefined ? {} : { addresses }),
      ...storedModel(model),
      ...(connected === false ? { connected } : {}),
    })),
    ...(cdroms.length === 0 ? {} : { cdroms: cdroms.map((drive) => cdromOf(drive, datastore)) }),
    ...(cpuAffinity === undefined ? {} : { cpuAffinity }),
    ...(boot === undefined ? {} : { boot }),
    ...(firmware === undefined ? {} : { firmware }),
    ...(description.tpm === true ? { tpm: description.tpm } : {}),
    ...(guestAgent ? { guestAgent } : {}),
    ...(hugepages === undefined ? {} : { hugepages }),
    ...(numa === undefined ? {} : { numa }),
    ...(topology === undefined ? {} : { topology }),
    ...(bootOrder === undefined ? {} : { bootOrder }),
    ...(balloon === undefined ? {} : { balloon }),
    ...(maxMemoryMib === undefined ? {} : { maxMemoryMib }),
    ...(defaults.hostDevices === undefined || defaults.hostDevices.length === 0
      ? {}
      : { hostDevices: defaults.hostDevices }),
    ...storedAnnotations(description),
  });
}

/** New images start small; what is asked for is the least that must be free to make them at all. */
async function checkSpace(stores: VmDatastores, { disks }: VmDescription): Promise<void> {
  for (const store of [stores.own, ...stores.others]) {
    const raw = stores
      .files(disks)
      .filter(({ datastore, format }) => stores.named(datastore) === store && format === "raw");
    const neededBytes = 16 * 1048576 + raw.reduce((sum, disk) => sum + (disk.sizeMib ?? 0) * 1048576, 0);
    const { freeBytes } = await store.space();
    const { path } = store.config;
    if (freeBytes < neededBytes) throw GodwitError.of("SPACE_SHORT", { path, neededBytes, freeBytes });
  }
}

async function checkFiles(
  stores: VmDatastores,
  { description, host, imagesOf }: CreateOptions,
): Promise<void> {
  const vm = description.name;
  const of = { vm, host, imagesOf: imagesOf?.name };
  const volumes = new Set(
    description.disks.filter((disk) => volumeImageOf(stores, { host, imagesOf }, disk) !== null),
  );
  for (const { disk } of stores.volumes(description.disks)) {
    const { name, image: path, imageDatastore } = disk;
    if (path !== undefined && imageDatastore !== undefined && !volumes.has(disk))
      await checkDisk(stores.named(imageDatastore), { ...of, disk: name, path });
  }
  for (const disk of stores.files(description.disks)) {
    if (disk.image === undefined || volumes.has(disk)) continue;
    const store = stores.named(disk.imageDatastore ?? disk.datastore);
    // After a crash in the middle of an earlier attempt the image may already be in the VM's folder.
    const target = `${vm}/${disk.name}.${disk.format}`;
    const path = disk.take === true && (await store.look(disk.image)) === "missing" ? target : disk.image;
    await checkDisk(store, { ...of, disk: disk.name, path });
  }
  for (const path of [description.boot?.kernel, description.boot?.initrd]) {
    if (path !== undefined) await checkDisk(stores.own, { vm, disk: basename(path), path, host });
  }
}
