/** What `lscpu` prints, as text or with `-J`: Linux's flags, and what else it found of one machine. */
import { GodwitError } from "@godwit/contract";
import { broken, type FileName } from "./broken.ts";
import type { CpuSource } from "./cpu-source.ts";
import { featuresOfFlags, msrFeaturesOfFlags } from "./linux-flags.ts";

interface JsonField {
  readonly field?: unknown;
  readonly data?: unknown;
  readonly children?: unknown;
}

/** Whether a line is one that only this format has. */
export const isLscpuLine = (line: string): boolean => /^Architecture:\s+\S/.test(line);

export const isLscpuJson = (text: string): boolean => /^\s*\{\s*"lscpu"\s*:/.test(text);

/** @throws CPU_FILE_BROKEN, CPU_NOT_X86 */
export const readLscpu = (lines: readonly string[], file: FileName): CpuSource =>
  sourceOf(
    new Map(
      lines.flatMap((line) => {
        const [, key, value = ""] = /^\s*([^:]{1,60}):\s*(.*)$/.exec(line) ?? [];
        return key === undefined ? [] : [[key, value.trim()] as const];
      }),
    ),
    file,
  );

/** @throws CPU_FILE_BROKEN, CPU_NOT_X86 */
export function readLscpuJson(text: string, file: FileName): CpuSource {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw broken(file, null, `it is no whole JSON document: ${(error as Error).message}`);
  }
  const fields = new Map<string, string>();
  const gather = (list: unknown): void => {
    if (!Array.isArray(list)) return;
    for (const { field, data, children } of list as JsonField[]) {
      if (typeof field === "string" && typeof data === "string") fields.set(field.replace(/:$/, ""), data);
      gather(children);
    }
  };
  gather((document as { lscpu?: unknown }).lscpu);
  return sourceOf(fields, file);
}

function sourceOf(fields: ReadonlyMap<string, string>, file: FileName): CpuSource {
  const architecture = fields.get("Architecture");
  if (architecture !== undefined && !/^(?:x86_64|i[3-6]86)$/.test(architecture))
    throw GodwitError.of("CPU_NOT_X86", { source: file.label, architecture });
  const flags = fields.get("Flags");
  if (flags === undefined) throw broken(file, null, 'the line "Flags: …" was expected');
  const number = (key: string): number | null => {
    const value = fields.get(key);
    return value !== undefined && /^\d{1,6}$/.test(value) ? Number(value) : null;
  };
  const vendor = fields.get("Vendor ID") ?? null;
  const family = number("CPU family");
  const features = featuresOfFlags({ vendor, family, flags: flags.split(/\s+/) });
  return {
    format: "lscpu",
    label: file.label,
    cpus: [],
    named: {
      vendor,
      family,
      model: number("Model"),
      stepping: number("Stepping"),
      brand: fields.get("Model name") ?? null,
      logicalCpus: number("CPU(s)"),
      features,
      lacks: [],
      msrFeatures: msrFeaturesOfFlags({ vendor, flags: flags.split(/\s+/) }),
    },
    ...(features.includes("hypervisor") ? { reported: { hypervisor: "unknown" } } : {}),
    notes: [
      "lscpu lists what the kernel uses of the first CPU: a feature that is not listed there may still be in the CPU, so it is not known.",
    ],
  };
}
