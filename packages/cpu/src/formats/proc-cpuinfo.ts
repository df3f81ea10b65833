/**
 * /proc/cpuinfo: what Linux found and uses. A flag that is there is a feature that is there; one that is not may
 * be switched off by the kernel, or have no name there, so that it is not known.
 */
import { features, featureNamed } from "../features/features.ts";
import { broken, quoted, type FileName } from "./broken.ts";
import type { CpuSource } from "./cpu-source.ts";

/** Flags of Linux that mean a bit by another name than QEMU's. */
const flagNames: Readonly<Record<string, string>> = {
  lahf_lm: "lahf-lm",
  cr8_legacy: "cr8legacy",
  tsc_deadline_timer: "tsc-deadline",
  sse4_1: "sse4.1",
  sse4_2: "sse4.2",
  sha_ni: "sha-ni",
  fxsr_opt: "fxsr-opt",
  clflush: "clflush",
  dts: "ds",
  ibrs_enhanced: "",
  nonstop_tsc: "invtsc",
};

const field = /^([^:\t]{1,40}?)\s*:\s?(.*)$/;

/** Whether a line is one that only this format has. */
export const isProcCpuinfoLine = (line: string): boolean => /^(processor|vendor_id)\t: /.test(line);

/** @throws CPU_FILE_BROKEN */
export function readProcCpuinfo(lines: readonly string[], file: FileName): CpuSource {
  const first = new Map<string, { value: string; line: number }>();
  /** Lines of flags that are not the first CPU's. */
  const differing: number[] = [];
  let logicalCpus = 0;
  lines.forEach((text, index) => {
    const [, key = "", value = ""] = field.exec(text) ?? [];
    if (key === "processor") logicalCpus += 1;
    const before = first.get(key);
    if (before === undefined) first.set(key, { value, line: index + 1 });
    else if (key === "flags" && before.value !== value) differing.push(index + 1);
  });
  const flags = first.get("flags");
  if (flags === undefined)
    throw broken(file, lines.length, 'the line "flags : …" of an x86 CPU was expected');
  const told = new Set<string>();
  for (const flag of flags.value.split(/\s+/)) {
    const feature = featureNamed(flagNames[flag] ?? flag);
    if (feature !== undefined) told.add(feature.name);
  }
  const number = (key: string): number | null => {
    const found = first.get(key);
    if (found === undefined) return null;
    if (/^\d{1,6}$/.test(found.value)) return Number(found.value);
    throw broken(
      file,
      found.line,
      `a number was expected after "${key}", and ${quoted(found.value)} is there`,
    );
  };
  const inVm = told.has("hypervisor");
  return {
    format: "proc-cpuinfo",
    label: file.label,
    cpus: [],
    named: {
      vendor: first.get("vendor_id")?.value ?? null,
      family: number("cpu family"),
      model: number("model"),
      stepping: number("stepping"),
      brand: first.get("model name")?.value ?? null,
      logicalCpus: logicalCpus === 0 ? null : logicalCpus,
      features: features.map((one) => one.name).filter((name) => told.has(name)),
      lacks: [],
    },
    ...(inVm ? { reported: { hypervisor: "unknown" } } : {}),
    notes: [
      "/proc/cpuinfo lists what the kernel uses: a feature that is not listed there may still be in the CPU, so it is not known.",
      ...differing
        .slice(0, 1)
        .map(
          (line) =>
            `The logical CPUs differ: the flags at line ${String(line)} are not those of the first one.`,
        ),
    ],
  };
}
