/**
 * A VM's folder on a datastore: `NAME/vm.json` and its disks: its whole state at rest. A folder is
 * complete exactly when its `vm.json` is there; that is written last when one is made and removed
 * first when one is deleted, so a crash leaves unused files at worst, never half a VM.
 */
import { mkdir, readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { GodwitError, vmSchema, type Vm, type VmDescription, type VmDisk, type VmId } from "@godwit/contract";
import { readFileOrNull, run, UndoStack, writeFileAtomic } from "@godwit/system";
import type { Datastore } from "./datastore.ts";
import { removeLeases } from "./leases/lease-files.ts";

const vmFile = "vm.json";

/** What a description leaves open and the host decides. */
export interface CompletionDefaults {
  machine: string;
  cpu: Vm["cpu"];
  /** A MAC address for each NIC that has none. */
  macs: string[];
}

export interface CreateOptions {
  id: VmId;
  description: VmDescription;
  defaults: CompletionDefaults;
  /** The user that QEMU runs as; owns the images. */
  owner: string;
  host: string;
}

/**
 * Creates a VM's folder with its disks. Called again with the same id it returns the VM that is there.
 * @throws VM_EXISTS, DISK_MISSING, DISK_IN_USE, SPACE_SHORT
 */
export async function createVm(datastore: Datastore, options: CreateOptions): Promise<Vm> {
  const { id, description, owner } = options;
  const folder = datastore.resolve(description.name);
  const existing = await readVmOrNull(datastore, description.name);
  if (existing !== null) {
    if (existing.id === id) return existing;
    throw GodwitError.of("VM_EXISTS", { vm: description.name });
  }
  await checkSpace(datastore, description);
  await checkFiles(datastore, options);

  await using undo = new UndoStack(() => undefined);
  // A folder without vm.json is what a crash left of an earlier attempt, or a folder of the user's: kept then.
  const made = await mkdir(folder, { recursive: true });
  if (made !== undefined) undo.push("remove the VM's folder", () => rmdir(folder));
  const disks: VmDisk[] = [];
  for (const disk of description.disks) {
    const path = `${description.name}/${disk.name}.${disk.format}`;
    const target = datastore.resolve(path);
    if (disk.image === undefined) {
      await run("qemu-img", ["create", "-q", "-f", disk.format, target, `${String(disk.sizeMib ?? 0)}M`], {
        what: `creating disk ${disk.name} of VM ${description.name}`,
      });
      undo.push("remove the new disk", () => rm(target, { force: true }));
    } else {
      const source = datastore.resolve(disk.image);
      if (source !== target) await rename(source, target);
      undo.push("put the image back", () => rename(target, source));
    }
    await run("chown", [`${owner}:`, target], {
      what: `giving disk ${disk.name} of VM ${description.name} to QEMU's user`,
    });
    disks.push({ name: disk.name, path, format: disk.format });
  }
  const vm = complete(options, disks);
  await saveVm(datastore, vm);
  undo.commit();
  return vm;
}

/** Replaces a VM's description atomically. @throws SPACE_SHORT */
export async function saveVm(datastore: Datastore, vm: Vm): Promise<void> {
  const folder = datastore.resolve(vm.name);
  await writeFileAtomic(join(folder, vmFile), textOf(vm)).catch((error: unknown) => {
    throw noSpace(error, folder) ?? error;
  });
}

const textOf = (vm: Vm): string => `${JSON.stringify(vm, null, 2)}\n`;

/** @throws VM_UNKNOWN, VM_DESCRIPTION_INVALID */
export async function readVm(datastore: Datastore, name: string): Promise<Vm> {
  const vm = await readVmOrNull(datastore, name);
  if (vm === null) throw GodwitError.of("VM_UNKNOWN", { vm: name });
  return vm;
}

/** Removes a VM's folder with its disks; files that Godwit did not create are left, with their folder. */
export async function deleteVm(datastore: Datastore, name: string): Promise<void> {
  const vm = await readVmOrNull(datastore, name);
  const folder = datastore.resolve(name);
  if (vm === null) return;
  await rm(join(folder, vmFile));
  await removeLeases(datastore, name);
  for (const disk of vm.disks) await rm(datastore.resolve(disk.path), { force: true });
  if ((await readdir(folder)).length === 0) await rmdir(folder);
}

async function readVmOrNull(datastore: Datastore, name: string): Promise<Vm | null> {
  const path = join(datastore.resolve(name), vmFile);
  const text = await readFileOrNull(path);
  if (text === null) return null;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw GodwitError.of(
      "VM_DESCRIPTION_INVALID",
      { source: path, problems: [`it is not JSON (${(error as Error).message})`] },
      { cause: error },
    );
  }
  const parsed = vmSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw GodwitError.of("VM_DESCRIPTION_INVALID", { source: path, problems });
}

function complete({ id, description, defaults }: CreateOptions, disks: VmDisk[]): Vm {
  const { name, datastore, memoryMib, vcpus, boot, guestAgent } = description;
  let spare = 0;
  return {
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
    nics: description.nics.map(({ portGroup, mac }) => ({
      portGroup,
      mac: mac ?? (defaults.macs[spare++] as string),
    })),
    ...(boot === undefined ? {} : { boot }),
    ...(guestAgent ? { guestAgent } : {}),
  };
}

/** New images start small; what is asked for is the least that must be free to make them at all. */
async function checkSpace(datastore: Datastore, description: VmDescription): Promise<void> {
  const raw = description.disks.filter((disk) => disk.format === "raw" && disk.sizeMib !== undefined);
  const neededBytes = 16 * 1048576 + raw.reduce((sum, disk) => sum + (disk.sizeMib ?? 0) * 1048576, 0);
  const { freeBytes } = await datastore.space();
  const { path } = datastore.config;
  if (freeBytes < neededBytes) throw GodwitError.of("SPACE_SHORT", { path, neededBytes, freeBytes });
}

async function checkFiles(datastore: Datastore, { description, host }: CreateOptions): Promise<void> {
  const vm = description.name;
  for (const disk of description.disks) {
    if (disk.image === undefined) continue;
    const path = datastore.resolve(disk.image);
    const target = datastore.resolve(`${vm}/${disk.name}.${disk.format}`);
    // After a crash in the middle of an earlier attempt the image may already be in the VM's folder.
    if (!(await isFile(path)) && !(await isFile(target))) {
      throw GodwitError.of("DISK_MISSING", { vm, disk: disk.name, path, host });
    }
    const owner = await vmThatOwns(datastore, disk.image);
    if (owner !== null) throw GodwitError.of("DISK_IN_USE", { vm, disk: disk.name, path, by: `VM ${owner}` });
    await checkUnlocked(path, vm, disk.name);
  }
  for (const path of [description.boot?.kernel, description.boot?.initrd]) {
    if (path !== undefined && !(await isFile(datastore.resolve(path)))) {
      throw GodwitError.of("DISK_MISSING", { vm, disk: basename(path), path: datastore.resolve(path), host });
    }
  }
}

/** QEMU's own image lock: `qemu-img info` is refused while another process writes to the image. */
async function checkUnlocked(path: string, vm: string, disk: string): Promise<void> {
  if (!(await isFile(path))) return;
  try {
    await run("qemu-img", ["info", path], { what: `looking at ${path}` });
  } catch (error) {
    if (error instanceof GodwitError && error.message.includes("lock")) {
      throw GodwitError.of("DISK_IN_USE", { vm, disk, path, by: "a running QEMU" }, { cause: error });
    }
    throw error;
  }
}

async function vmThatOwns(datastore: Datastore, image: string): Promise<string | null> {
  const folder = image.split("/")[0] ?? image;
  const vm = await readVmOrNull(datastore, folder).catch(() => null);
  return vm?.disks.some((disk) => disk.path === image) === true ? vm.name : null;
}

async function isFile(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

function noSpace(error: unknown, path: string): GodwitError | null {
  if ((error as NodeJS.ErrnoException).code !== "ENOSPC") return null;
  return GodwitError.of("SPACE_SHORT", { path, neededBytes: 1048576, freeBytes: 0 }, { cause: error });
}
