/** The files in a tar archive, each with its place. Nothing is unpacked, and a name is never a path. */
import type { FileHandle } from "node:fs/promises";
import { ImportProblem } from "./foreign-vm.ts";
import { paxRecords, tarBlockBytes, tarHeader } from "./tar-header.ts";

export interface TarMember {
  name: string;
  offset: number;
  bytes: number;
}

const mostMembers = 1000;
/** Of a header that is about the next member. */
const mostHeaderBytes = 64 * 1024;

/** By name. @throws ImportProblem */
export async function tarMembers(file: FileHandle): Promise<Map<string, TarMember>> {
  const { size } = await file.stat();
  const members = new Map<string, TarMember>();
  let next: { path?: string; bytes?: number } = {};
  let headers = 0;
  for (let at = 0; at < size;) {
    if (++headers > mostMembers)
      throw new ImportProblem(`the archive has more than ${String(mostMembers)} members`);
    const header = tarHeader(await read(file, at, tarBlockBytes));
    if (header === null) break;
    const offset = at + tarBlockBytes;
    const bytes =
      header.kind === "pax" || header.kind === "longName" ? header.bytes : (next.bytes ?? header.bytes);
    if (offset + bytes > size) throw new ImportProblem("the archive is cut off");
    at = offset + Math.ceil(bytes / tarBlockBytes) * tarBlockBytes;
    if (header.kind === "pax" || header.kind === "longName") {
      if (bytes > mostHeaderBytes) throw new ImportProblem("a header in the archive is larger than any");
      const content = await read(file, offset, bytes);
      next =
        header.kind === "pax"
          ? { ...next, ...paxRecords(content) }
          : { ...next, path: content.toString("utf8").replace(/\0.*$/s, "") };
      continue;
    }
    const name = (next.path ?? header.name).replace(/^\.\//, "");
    next = {};
    if (header.kind !== "file") continue;
    if (name === "" || name === ".." || /[/\\]/.test(name))
      throw new ImportProblem(
        `the archive has a file ${JSON.stringify(name)} in a folder, and an OVA has none`,
      );
    if (members.has(name)) throw new ImportProblem(`the archive has two files ${JSON.stringify(name)}`);
    members.set(name, { name, offset, bytes });
  }
  return members;
}

async function read(file: FileHandle, at: number, bytes: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, at);
  return buffer.subarray(0, bytesRead);
}
