/**
 * /proc/cpuinfo: what Linux found and uses, by its flags. CPUs of one machine that are not alike are told apart;
 * files of other architectures than x86 are refused as what they are.
 */
import { GodwitError } from "@godwit/contract";
import { broken, quoted, type FileName } from "./broken.ts";
import type { CpuSource, ReportedFacts } from "./cpu-source.ts";
import { featuresOfFlags, msrFeaturesOfFlags } from "./linux-flags.ts";

type CoreDifferences = NonNullable<ReportedFacts["coreDifferences"]>;

interface Block {
  readonly line: number;
  readonly fields: Map<string, { readonly value: string; readonly line: number }>;
}

const field = /^([^:]{1,40}?)\s*:(?:\s+(.*))?$/;

/** Whether a line is one that only this format has. Terminals turn its tabs into spaces. */
export const isProcCpuinfoLine = (line: string): boolean => /^(?:processor|vendor_id)\s*: /.test(line);

/** @throws CPU_FILE_BROKEN, CPU_NOT_X86 */
export function readProcCpuinfo(lines: readonly string[], file: FileName): CpuSource {
  const blocks = blocksOf(lines);
  const first = blocks.find(({ fields }) => fields.has("flags"));
  if (first === undefined) {
    const architecture = otherArchitecture(blocks);
    if (architecture !== null) throw GodwitError.of("CPU_NOT_X86", { source: file.label, architecture });
    throw broken(file, lines.length, 'the line "flags : …" of an x86 CPU was expected');
  }
  const number = (key: string): number | null => numberIn(first, key, file);
  const features = featuresIn(first, file);
  return {
    format: "proc-cpuinfo",
    label: file.label,
    cpus: [],
    named: {
      vendor: first.fields.get("vendor_id")?.value ?? null,
      family: number("cpu family"),
      model: number("model"),
      stepping: number("stepping"),
      brand: first.fields.get("model name")?.value ?? null,
      logicalCpus: blocks.filter(({ fields }) => fields.has("processor")).length || null,
      features,
      lacks: [],
      msrFeatures: msrFeaturesOfFlags(
        { vendor: first.fields.get("vendor_id")?.value ?? null, flags: flagsIn(first) },
        first.fields.get("vmx flags")?.value.split(/\s+/),
      ),
    },
    reported: {
      ...(features.includes("hypervisor") ? { hypervisor: "unknown" } : {}),
      coreDifferences: differencesIn(blocks, first, file),
    },
    notes: [
      "/proc/cpuinfo lists what the kernel uses: a feature that is not listed there may still be in the CPU, so it is not known.",
    ],
  };
}

/** One for each logical CPU. */
function blocksOf(lines: readonly string[]): Block[] {
  const blocks: Block[] = [];
  lines.forEach((text, index) => {
    const [, key, value = ""] = field.exec(text) ?? [];
    if (key === undefined) return;
    const line = index + 1;
    let block = blocks.at(-1);
    if (block === undefined || block.fields.has(key)) blocks.push((block = { line, fields: new Map() }));
    block.fields.set(key, { value: value.trim(), line });
  });
  return blocks;
}

const flagsIn = ({ fields }: Block): readonly string[] => fields.get("flags")?.value.split(/\s+/) ?? [];

const featuresIn = (block: Block, file: FileName): string[] =>
  featuresOfFlags({
    vendor: block.fields.get("vendor_id")?.value ?? null,
    family: numberIn(block, "cpu family", file),
    flags: flagsIn(block),
  });

/** What the later CPUs lack and have beside the first one, the alike ones together. */
function differencesIn(blocks: readonly Block[], first: Block, file: FileName): CoreDifferences {
  const kindOf = (block: Block): string =>
    JSON.stringify(["cpu family", "model", "stepping", "flags"].map((key) => block.fields.get(key)?.value));
  const all = blocks.filter(({ fields }) => fields.has("flags"));
  const kinds = Map.groupBy(
    all.map((block, index) => ({ block, id: numberIn(block, "processor", file) ?? index })),
    ({ block }) => kindOf(block),
  );
  kinds.delete(kindOf(first));
  const own = new Set(featuresIn(first, file));
  return [...kinds.values()].flatMap(([one, ...others]): CoreDifferences => {
    if (one === undefined) return [];
    const theirs = new Set(featuresIn(one.block, file));
    const lacks = [...own.difference(theirs)].sort();
    const adds = [...theirs.difference(own)].sort();
    const signature = signatureBeside(one.block, first, file);
    if (lacks.length + adds.length === 0 && signature === null) return [];
    return [{ cpus: [one, ...others].map(({ id }) => id), lacks, adds, signature }];
  });
}

/** null: it is the first one's. */
function signatureBeside(block: Block, first: Block, file: FileName): CoreDifferences[number]["signature"] {
  const [family, model, stepping] = ["cpu family", "model", "stepping"].map((key) => [
    numberIn(block, key, file),
    numberIn(first, key, file),
  ]);
  const same = [family, model, stepping].every((pair) => pair?.[0] === pair?.[1]);
  const [a, b, c] = [family?.[0], model?.[0], stepping?.[0]];
  return same || a == null || b == null || c == null ? null : { family: a, model: b, stepping: c };
}

function numberIn({ fields }: Block, key: string, file: FileName): number | null {
  const found = fields.get(key);
  if (found === undefined || found.value === "unknown") return null;
  if (/^\d{1,6}$/.test(found.value)) return Number(found.value);
  throw broken(file, found.line, `a number was expected after "${key}", and ${quoted(found.value)} is there`);
}

/** In words; null: nothing says what it is. */
function otherArchitecture(blocks: readonly Block[]): string | null {
  const value = (key: string): string | undefined =>
    blocks.find(({ fields }) => fields.has(key))?.fields.get(key)?.value;
  if (value("vendor_id") === "IBM/S390") return "s390x";
  if (/^(?:POWER|PPC)/i.test(value("cpu") ?? "")) return `POWER (${value("cpu") ?? ""})`;
  if (value("CPU implementer") !== undefined || value("Features") !== undefined) return "ARM";
  return value("isa")?.startsWith("rv") === true ? "RISC-V" : null;
}
