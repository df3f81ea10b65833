/**
 * Reading `vm.json`. Whoever can write to the datastore can write it, another host or a person, so nothing in it is
 * believed: it is small, a file and no link, of the schema, and the VM that it tells of is the one of its folder, with
 * its disks there. What is wrong is told as a finding about that one VM.
 */
import { constants } from "node:fs";
import { lstat, open } from "node:fs/promises";
import { join } from "node:path";
import {
  diskBaseOf,
  GodwitError,
  isBasePath,
  isVolumePath,
  lunOf,
  memoryProblems,
  parseJson,
  vmSchema,
  volumePath,
  type Vm,
} from "@godwit/contract";
import type { Datastore } from "./datastore.ts";

export const vmFile = "vm.json";
/** A VM with 24 disks and all features of its CPU needs 8 KiB. */
const mostBytes = 256 * 1024;

/** Null where there is none. @throws VM_DESCRIPTION_INVALID; the system's error where the storage cannot be read */
export async function readVmFile(datastore: Datastore, name: string): Promise<Vm | null> {
  const path = join(datastore.resolve(name), vmFile);
  const invalid = (problems: string[], cause?: unknown) =>
    GodwitError.of("VM_DESCRIPTION_INVALID", { source: path, problems }, { cause });
  const text = await readText(datastore.resolve(name), path, (problem) => invalid([problem]));
  if (text === null) return null;
  let json: unknown;
  try {
    json = parseJson(text);
  } catch (error) {
    throw invalid([`it is not JSON (${(error as Error).message})`], error);
  }
  const parsed = vmSchema.safeParse(json);
  if (!parsed.success) {
    throw invalid(parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`));
  }
  const problems = problemsOf(parsed.data, datastore.config.name, name);
  if (problems.length > 0) throw invalid(problems);
  return parsed.data;
}

/** What a description of the right form must not say in this place. Pure. */
export function problemsOf(vm: Vm, datastore: string, folder: string): string[] {
  const names = vm.disks.map((disk) => disk.name);
  return [
    ...(vm.name === folder ? [] : [`name: is ${vm.name}, and the folder is ${folder}`]),
    ...(vm.datastore === datastore
      ? []
      : [`datastore: is ${vm.datastore}, and the folder lies on ${datastore}`]),
    ...vm.disks.flatMap(({ name, base, format, path }) =>
      base === undefined ||
      (base.path === diskBaseOf(folder, name, base.format).path &&
        format === "qcow2" &&
        isDiskPath(path, folder))
        ? []
        : [`disks: ${base.path} is not a base of disk ${name}`],
    ),
    ...vm.disks.flatMap(({ name, datastore: on, path }) =>
      isDiskPath(path, folder) ||
      (on !== undefined && (lunOf(path) !== null || (isVolumePath(path) && path === volumePath(vm.id, name))))
        ? []
        : [`disks: ${name} (${path}) is not a disk in the VM's folder`],
    ),
    ...memoryProblems(vm).map(({ path, message }) => `${path.join(".")}: ${message}`),
    ...(isUnique(names) ? [] : ["disks: two have the same name"]),
    ...(isUnique((vm.cdroms ?? []).map((drive) => drive.name)) ? [] : ["cdroms: two have the same name"]),
  ];
}

const isUnique = (names: readonly string[]): boolean => new Set(names).size === names.length;

/** A file of its own directly in the folder, which is none of those that Godwit keeps there, and no base. */
export const isDiskPath = (path: string, folder: string): boolean => {
  const [first, file, ...more] = path.split("/");
  return first === folder && file !== undefined && more.length === 0 && !isOwnFile(file) && !isBasePath(file);
};

/** Whether a file of this name, in a VM's folder or in the datastore, is Godwit's own and no image. */
export const isOwnFile = (name: string): boolean =>
  name.startsWith(".") || /^(?:vm\.json|nvram\.fd|tpm$|lease-)/.test(name);

async function readText(
  folder: string,
  path: string,
  invalid: (problem: string) => GodwitError,
): Promise<string | null> {
  try {
    if (!(await lstat(folder)).isDirectory()) return null;
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      if (!(await file.stat()).isFile()) throw invalid("it is not a regular file");
      const buffer = Buffer.alloc(mostBytes + 1);
      let length = 0;
      for (let read = -1; read !== 0 && length < buffer.length; length += read) {
        read = (await file.read(buffer, length)).bytesRead;
      }
      if (length > mostBytes) throw invalid(`it is larger than ${String(mostBytes / 1024)} KiB`);
      return buffer.toString("utf8", 0, length);
    } finally {
      await file.close();
    }
  } catch (error) {
    switch ((error as NodeJS.ErrnoException).code) {
      case "ENOENT":
      case "ENOTDIR":
        return null;
      case "ELOOP":
        throw invalid("it is a symbolic link");
      case "ENXIO":
        throw invalid("it is not a regular file");
      default:
        throw error;
    }
  }
}
