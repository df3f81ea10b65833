/** The kernel's first root as an archive in the `newc` format (Linux, buffer-format.rst). Made without root. */
import { lstat, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

const folderMode = 0o040755;
const fileMode = 0o100000;
const characterDeviceMode = 0o020600;

export interface RootFile {
  path: string;
  /** Permissions. */
  mode: number;
  content: Buffer;
}

interface Entry {
  path: string;
  mode: number;
  content?: Buffer;
  device?: { major: number; minor: number };
}

/**
 * All files and folders below `root`, further files at its top, and /dev/console, which the kernel opens for
 * the first process. Everything belongs to root.
 */
export async function packRoot(root: string, further: readonly RootFile[]): Promise<Buffer> {
  const entries: Entry[] = further.map(({ path, mode, content }) => ({
    path,
    mode: fileMode | mode,
    content,
  }));
  const names = await readdir(root, { recursive: true });
  for (const path of names.sort()) {
    const { mode } = await lstat(join(root, path));
    if ((mode & 0o170000) === 0o040000) entries.push({ path, mode: folderMode });
    else entries.push({ path, mode: fileMode | (mode & 0o777), content: await readFile(join(root, path)) });
  }
  for (const path of ["dev", "proc", "sys"]) entries.push({ path, mode: folderMode });
  entries.push({ path: "dev/console", mode: characterDeviceMode, device: { major: 5, minor: 1 } });
  return Buffer.concat([
    ...entries.flatMap((entry, index) => record(entry, index + 1)),
    ...record({ path: "TRAILER!!!", mode: 0 }, 0),
  ]);
}

function record({ path, mode, content = Buffer.alloc(0), device }: Entry, inode: number): Buffer[] {
  const name = Buffer.from(`${path}\0`);
  const links = 1;
  const fields = [
    ...[inode, mode, 0, 0, links, 0, content.length, 0, 0],
    ...[device?.major ?? 0, device?.minor ?? 0, name.length, 0],
  ];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
  return [padded(Buffer.concat([Buffer.from(header), name])), padded(content)];
}

/** To a multiple of four bytes. */
const padded = (content: Buffer): Buffer =>
  Buffer.concat([content, Buffer.alloc((4 - (content.length % 4)) % 4)]);
