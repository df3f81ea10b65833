/**
 * A CPU as an argument: a file of any known format (`-`: standard input), or the name of a host whose report the
 * server has. An existing file takes precedence over a host of the same name.
 */
import { open, stat } from "node:fs/promises";
import { GodwitError, type CpuReport } from "@godwit/contract";
import { readCpuSource, reportOf } from "@godwit/cpu";
import { withApi } from "../connection.ts";

export interface CpuArgument {
  /** A host's name, or a file's path. */
  readonly label: string;
  readonly report: CpuReport;
}

const mostBytes = 64 * 1024 * 1024;

/** @throws FILE_UNREADABLE, CPU_FILE_UNRECOGNISED, CPU_FILE_BROKEN, CPU_FILE_TOO_LARGE, HOST_UNKNOWN, CPU_REPORT_MISSING, USAGE */
export async function cpuArgument(nameOrPath: string): Promise<CpuArgument> {
  if (nameOrPath === "-" || (await exists(nameOrPath))) return await cpuOfFile(nameOrPath);
  // What cannot be a host's name is taken for a file's.
  if (!/^[a-z0-9-]{1,63}$/.test(nameOrPath)) {
    throw GodwitError.of("FILE_UNREADABLE", { path: nameOrPath, reason: "it does not exist" });
  }
  return await cpuOfHost(nameOrPath);
}

/** @throws FILE_UNREADABLE, CPU_FILE_UNRECOGNISED, CPU_FILE_BROKEN, CPU_FILE_TOO_LARGE */
export async function cpuOfFile(path: string): Promise<CpuArgument> {
  const label = path === "-" ? "standard input" : path;
  const report = reportOf(readCpuSource(textOf(await bytesOf(path, label)), label));
  return { label, report };
}

/** @throws HOST_UNKNOWN, CPU_REPORT_MISSING, USAGE */
export async function cpuOfHost(host: string): Promise<CpuArgument> {
  const { facts } = await withApi((api) => api.call("hostShow", { params: { host } }));
  const report = facts?.cpu.report ?? null;
  if (report !== null) return { label: host, report };
  const reason =
    facts === null ? "its agent has not reported yet" : `its agent (${facts.agentVersion}) could not read it`;
  throw GodwitError.of("CPU_REPORT_MISSING", { host, reason });
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    // The file may exist in a folder that cannot be read.
    return (error as NodeJS.ErrnoException).code === "EACCES";
  }
}

/** @param absent added where the file is not there */
export async function bytesOf(path: string, label: string, absent = ""): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    await using file = path === "-" ? null : await open(path, "r");
    const stream = file?.createReadStream({ autoClose: false }) ?? process.stdin;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > mostBytes)
        throw GodwitError.of("CPU_FILE_TOO_LARGE", { source: label, what: "bytes", most: mostBytes });
      chunks.push(chunk);
    }
  } catch (error) {
    if (GodwitError.is(error)) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    const reason =
      code === "ENOENT"
        ? `it does not exist${absent}`
        : code === "EISDIR"
          ? "it is a folder"
          : (error as Error).message;
    throw GodwitError.of("FILE_UNREADABLE", { path: label, reason }, { cause: error });
  }
  return Buffer.concat(chunks);
}

/** Windows' tools write UTF-16, and say so in their first two bytes. */
export function textOf(bytes: Buffer): string {
  const utf16 =
    bytes[0] === 0xff && bytes[1] === 0xfe
      ? "utf-16le"
      : bytes[0] === 0xfe && bytes[1] === 0xff
        ? "utf-16be"
        : null;
  return new TextDecoder(utf16 ?? "utf-8").decode(bytes);
}
