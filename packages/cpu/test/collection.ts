/**
 * CPUID dumps of real machines: the selection in test/data and, with GODWIT_CPU_DUMPS=FOLDER, every `.txt` file of
 * InstLatx64 and every `.test` file of libcpuid below that folder; there a file replaces ours of the same name.
 */
import { readdirSync, readFileSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { cpuOf, readCpuSource, reportOf, type Cpu } from "../src/index.ts";

export interface DumpFile {
  /** Without its ending. */
  readonly name: string;
  readonly path: string;
}

export const testData = new URL("data/", import.meta.url).pathname;

const wider = process.env.GODWIT_CPU_DUMPS ?? "";
/** Whether more dumps than the selection are read. */
export const isWiderRun = wider !== "";

/** The author's name of the generation, after the vendor and leaf 1's EAX: `GenuineIntel00306F2_HaswellEP_CPUID`. */
export const instlatx64Dumps = filesIn((name) => /^[A-Za-z]{12}[0-9A-F]{7}_.*_CPUID\d*\.txt$/.test(name));

export const libcpuidDumps = filesIn((name) => name.endsWith(".test"));

/** @throws where there is none of that name: the selection has to hold it */
export function dumpNamed(name: string): DumpFile {
  const dump = [...instlatx64Dumps, ...libcpuidDumps].find((one) => one.name === name);
  if (dump === undefined) throw new TypeError(`no dump ${name}`);
  return dump;
}

export const textOf = ({ path }: DumpFile): string => readFileSync(path, "latin1");

/** @param label default: the file's name */
export const cpuIn = (dump: DumpFile, label = dump.name): Cpu =>
  cpuOf(reportOf(readCpuSource(textOf(dump), label)), label);

function filesIn(isOurs: (name: string) => boolean): readonly DumpFile[] {
  const files = new Map<string, DumpFile>();
  for (const folder of [testData, ...(isWiderRun ? [wider] : [])]) {
    for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
      if (!isOurs(basename(path))) continue;
      const name = basename(path, extname(path));
      files.set(name, { name, path: join(folder, path) });
    }
  }
  return [...files.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
