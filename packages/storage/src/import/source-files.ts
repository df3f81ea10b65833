/**
 * The files of a VM that is imported: a description, and what lies beside it or with it in an archive. Whoever wrote them may be
 * anybody: they are files and no links, inside the datastore, small where they are read as text, and nothing is unpacked.
 */
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { foreignPathSchema, GodwitError, type ImagePart, type ImportSource } from "@godwit/contract";
import { openInside } from "../copy-file.ts";
import type { Datastore } from "../datastore.ts";
import { baseName, ImportProblem, type ForeignVm, type SourceFormat } from "./foreign-vm.ts";
import { readLibvirt } from "./formats/libvirt.ts";
import { readOvf } from "./formats/ovf.ts";
import { readProxmox } from "./formats/proxmox.ts";
import { readVmx } from "./formats/vmx.ts";
import { readManifest } from "./manifest.ts";
import { tarMembers, type TarMember } from "./tar-members.ts";

const mostTextBytes = 4 * 1048576;

export interface SourceFile {
  /** Relative to the source's datastore. */
  path: string;
  /** Of one in an archive. */
  part?: ImagePart;
  /** As the manifest says. */
  checksum?: string;
}

export interface ReadSource {
  format: SourceFormat;
  vm: ForeignVm;
  /** Whether the package has a manifest; null: it is no package. */
  hasManifest: boolean | null;
  /** A file of the VM's by its name; null: it is not there. */
  find: (name: string) => Promise<SourceFile | null>;
}

const readers: Readonly<Record<string, { format: SourceFormat; read: (text: string) => ForeignVm }>> = {
  vmx: { format: "vmx", read: readVmx },
  ovf: { format: "ovf", read: readOvf },
  xml: { format: "libvirt", read: readLibvirt },
  conf: { format: "proxmox", read: readProxmox },
};

/** @throws IMPORT_UNREADABLE */
export async function readSource(datastore: Datastore, { path }: ImportSource): Promise<ReadSource> {
  try {
    const suffix = /\.([A-Za-z]+)$/.exec(path)?.[1]?.toLowerCase() ?? "";
    await using file = await openSource(datastore, path);
    if (suffix === "ova") return await readArchive(file, path);
    const reader = readers[suffix];
    if (reader === undefined)
      throw new ImportProblem("its name ends with none of .vmx, .ovf, .ova, .xml and .conf");
    const text = await readText(file, 0, (await file.stat()).size);
    const checksums = suffix === "ovf" ? await manifestBeside(datastore, path) : null;
    if (checksums !== null) mustMatch(text.bytes, checksums, path);
    return {
      format: reader.format,
      vm: reader.read(text.text),
      hasManifest: suffix === "ovf" ? checksums !== null : null,
      find: async (name) => {
        const beside = join(dirname(path), name);
        if (!foreignPathSchema.safeParse(beside).success || (await datastore.look(beside)) !== "file")
          return null;
        return { path: beside, ...checksumOf(checksums, name) };
      },
    };
  } catch (error) {
    if (!(error instanceof ImportProblem)) throw error;
    const source = `${datastore.config.name}:${path}`;
    throw GodwitError.of("IMPORT_UNREADABLE", { source, reason: error.message }, { cause: error });
  }
}

async function readArchive(file: FileHandle, path: string): Promise<ReadSource> {
  const members = await tarMembers(file);
  const envelope = [...members.values()].find(({ name }) => /\.ovf$/i.test(name));
  if (envelope === undefined) throw new ImportProblem("the archive has no .ovf file");
  const text = await readText(file, envelope.offset, envelope.bytes);
  const list = [...members.values()].find(({ name }) => /\.mf$/i.test(name));
  const checksums =
    list === undefined ? null : readManifest((await readText(file, list.offset, list.bytes)).text);
  if (checksums !== null) mustMatch(text.bytes, checksums, envelope.name);
  const found = ({ name, offset, bytes }: TarMember): SourceFile => ({
    ...{ path, part: { offset, bytes } },
    ...checksumOf(checksums, name),
  });
  return {
    format: "ova",
    vm: readOvf(text.text),
    hasManifest: checksums !== null,
    find: async (name) => {
      const member = members.get(name);
      return member === undefined ? null : found(member);
    },
  };
}

/** @throws ImportProblem */
async function openSource(datastore: Datastore, path: string): Promise<FileHandle> {
  if (path.split("/").some((name) => name.startsWith(".")))
    throw new ImportProblem("Godwit keeps this file for itself");
  const found = await datastore.look(path);
  if (found === "missing") throw new ImportProblem("there is no such file");
  if (found !== "file")
    throw new ImportProblem(
      found === "link" ? "it is, or lies behind, a symbolic link" : "it is not a regular file",
    );
  return await openInside(datastore, path, { vm: "that is imported", disk: "description" });
}

async function manifestBeside(datastore: Datastore, path: string): Promise<Map<string, string> | null> {
  const beside = path.replace(/\.ovf$/i, ".mf");
  if ((await datastore.look(beside)) !== "file") return null;
  await using file = await openSource(datastore, beside);
  return readManifest((await readText(file, 0, (await file.stat()).size)).text);
}

/** @throws ImportProblem where it is larger than any description, or no text */
async function readText(
  file: FileHandle,
  offset: number,
  bytes: number,
): Promise<{ text: string; bytes: Buffer }> {
  if (bytes > mostTextBytes)
    throw new ImportProblem(`the description is larger than ${String(mostTextBytes / 1048576)} MiB`);
  const buffer = Buffer.alloc(bytes);
  const { bytesRead } = await file.read(buffer, 0, bytes, offset);
  const content = buffer.subarray(0, bytesRead);
  const decoder = new TextDecoder(isUtf16(content) ? "utf-16le" : "utf-8");
  return { text: decoder.decode(content), bytes: content };
}

/** As Windows' tools write it. */
const isUtf16 = (content: Buffer): boolean => content[0] === 0xff && content[1] === 0xfe;

const checksumOf = (checksums: Map<string, string> | null, name: string): { checksum?: string } => {
  const checksum = checksums?.get(name);
  return checksum === undefined ? {} : { checksum };
};

/** @throws ImportProblem */
function mustMatch(content: Buffer, checksums: ReadonlyMap<string, string>, path: string): void {
  const name = baseName(path);
  const expected = checksums.get(name);
  if (expected === undefined) return;
  const [algorithm = "sha256"] = expected.split(":");
  const found = `${algorithm}:${createHash(algorithm).update(content).digest("hex")}`;
  if (found !== expected)
    throw new ImportProblem(
      `its manifest says that ${name} has ${expected}, and it has ${found}: it was changed`,
    );
}
