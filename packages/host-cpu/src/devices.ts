/**
 * Linux's /dev/cpu/N/cpuid and /dev/cpu/N/msr: CPUID and model-specific registers of one logical CPU, asked on that CPU.
 * A position in the first is the leaf, and the subleaf in its upper half.
 */
import { open, readdir, type FileHandle } from "node:fs/promises";
import type { LogicalCpu, MsrValue } from "@godwit/cpu";
import { run } from "@godwit/system";
import { enumerateLeaves } from "./enumerate.ts";

const msrs = {
  /** FEATURE_CONTROL, PLATFORM_INFO, CORE_CAPABILITIES, ARCH_CAPABILITIES, MISC_FEATURES_ENABLES. */
  GenuineIntel: [0x3a, 0xce, 0xcf, 0x10a, 0x140],
  /** EFER, HWCR, the first of the CPUID override registers. */
  AuthenticAMD: [0xc0000080, 0xc0010015, 0xc0011004],
} as const;

/** What the devices told; `problem`: why not all of it, in words. */
export interface DeviceAnswers {
  readonly cpus: readonly LogicalCpu[];
  readonly problems: readonly string[];
}

/** Reads every logical CPU that is online. Empty where the device is not there or may not be read. */
export async function readDevices(folder: string): Promise<DeviceAnswers> {
  const ids = await cpuIds(folder);
  const answers = await Promise.allSettled(ids.map((id) => readCpu(folder, id)));
  const cpus = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  const problems = answers.flatMap((answer, index) =>
    answer.status === "fulfilled"
      ? []
      : [`${folder}/${String(ids[index])}/cpuid could not be read (${reasonOf(answer.reason)})`],
  );
  const [first, ...others] = cpus;
  if (first === undefined) {
    const why = ids.length === 0 ? [`${folder}/N/cpuid is not there`] : problems.slice(0, 1);
    return { cpus: [], problems: why };
  }
  const read = await readMsrs(folder, first);
  return {
    cpus: [{ ...first, msrs: read.values }, ...others],
    problems: [...problems, ...(read.problem === null ? [] : [read.problem])],
  };
}

async function readCpu(folder: string, id: number): Promise<LogicalCpu> {
  await using file = await open(`${folder}/${String(id)}/cpuid`, "r");
  return { id, leaves: await enumerateLeaves((leaf, subleaf) => ask(file, leaf, subleaf)), msrs: [] };
}

/** Loads the kernel's modules for both devices; root may. Where that fails, reading says what is missing. */
export async function loadModules(): Promise<void> {
  for (const module of ["cpuid", "msr"]) {
    await run("modprobe", [module], { what: `loading the kernel module ${module}` }).catch(() => undefined);
  }
}

export async function hasDevice(folder: string, kind: "cpuid" | "msr"): Promise<boolean> {
  const [first] = await cpuIds(folder);
  if (first === undefined) return false;
  return (await readdir(`${folder}/${String(first)}`).catch((): string[] => [])).includes(kind);
}

async function cpuIds(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch((): string[] => []);
  return names
    .filter((name) => /^\d{1,6}$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

async function ask(file: FileHandle, leaf: number, subleaf: number): Promise<LogicalCpu["leaves"][number]> {
  const answer = Buffer.alloc(16);
  const { bytesRead } = await file.read(answer, 0, 16, BigInt(leaf) | (BigInt(subleaf) << 32n));
  if (bytesRead !== 16) throw new Error("short read");
  const [eax, ebx, ecx, edx] = [0, 4, 8, 12].map((at) => answer.readUInt32LE(at));
  return { leaf, subleaf, eax: eax ?? 0, ebx: ebx ?? 0, ecx: ecx ?? 0, edx: edx ?? 0 };
}

async function readMsrs(
  folder: string,
  cpu: LogicalCpu,
): Promise<{ values: MsrValue[]; problem: string | null }> {
  const vendor =
    cpu.leaves.find((one) => one.leaf === 0)?.ebx === 0x756e6547 ? "GenuineIntel" : "AuthenticAMD";
  const path = `${folder}/${String(cpu.id)}/msr`;
  try {
    await using file = await open(path, "r");
    const values: MsrValue[] = [];
    for (const msr of msrs[vendor]) values.push({ msr, value: await readMsr(file, msr) });
    return { values, problem: null };
  } catch (error) {
    return { values: [], problem: `model-specific registers were not read: ${path} (${reasonOf(error)})` };
  }
}

/** null: this CPU has none of that number. */
async function readMsr(file: FileHandle, msr: number): Promise<bigint | null> {
  const value = Buffer.alloc(8);
  const read = await file.read(value, 0, 8, msr).catch(() => null);
  return read?.bytesRead === 8 ? value.readBigUInt64LE() : null;
}

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT") return "not there";
  if (code === "EACCES" || code === "EPERM") return "only root may read it";
  return code ?? (error instanceof Error ? error.message : String(error));
}
