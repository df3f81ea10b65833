/** What a reader of a report should know besides: what is not known and why, and what looks odd. Sentences. */
import type { CpuReport } from "@godwit/contract";
import { features } from "../features/features.ts";
import { isOffered, type Cpu } from "../cpuid/cpu.ts";
import type { FlexMigration } from "./flex-migration.ts";
import { undecidedModes } from "../evc-modes/undecided-modes.ts";

export const flexNote = (flex: FlexMigration): string =>
  flex.has === null
    ? `Whether the CPU has Flex Migration is not known: ${flex.because}.`
    : `Flex Migration: ${flex.because}.`;

export const vmware64Note = (because: string): string =>
  `Whether VMware could run 64-bit guests on it is not known: ${because}.`;

/** Notes that follow from the report itself. */
export const notesOn = (report: CpuReport, cpu: Cpu): string[] => [
  ...virtualNote(report),
  ...syscallNote(report),
  ...unknownNote(report),
  ...evcNote(cpu),
  ...report.coreDifferences.map(differenceNote),
];

function virtualNote(report: CpuReport): string[] {
  const { hypervisor } = report;
  if (hypervisor === null) return [];
  const name = hypervisor === "unknown" ? "" : ` (${hypervisor})`;
  return [
    !isOffered(report)
      ? `These are the CPUID registers of a virtual CPU: they were read inside a VM${name}, and what its hypervisor hides looks absent.`
      : `This is what a hypervisor${name} offers to guests, not what the hardware has.`,
  ];
}

/** Outside of long mode Intel's CPUs say that they have no SYSCALL, as a 32-bit program sees it. */
function syscallNote({ vendor, longMode, features: has, unknownFeatures }: CpuReport): string[] {
  const shows = has.includes("syscall") || unknownFeatures.includes("syscall");
  if (vendor !== "GenuineIntel" || longMode !== true || shows) return [];
  return [
    "SYSCALL is 0 beside long mode: a 32-bit program has read it; a 64-bit program sees 1 on the same CPU.",
  ];
}

function unknownNote({ unknownFeatures }: CpuReport): string[] {
  if (unknownFeatures.length === 0) return [];
  const missing = new Set(unknownFeatures);
  const leaves = new Set(
    features
      .filter(({ name }) => missing.has(name))
      .map(({ leaf, subleaf }) => `0x${leaf.toString(16)}${subleaf > 0 ? `.${String(subleaf)}` : ""}`),
  );
  return [
    `${String(unknownFeatures.length)} features of ${leaves.size === 1 ? "leaf" : "leaves"} ${[...leaves].join(", ")} are not known: the source does not report them.`,
  ];
}

function evcNote(cpu: Cpu): string[] {
  const open = undecidedModes(cpu);
  if (open.length === 0) return [];
  return [
    `It is not known whether it satisfies ${open.map(({ key }) => key).join(", ")}: the source does not report all of their features.`,
  ];
}

function differenceNote({ cpus, lacks, adds, signature }: CpuReport["coreDifferences"][number]): string {
  const parts = [
    ...(lacks.length === 0 ? [] : [`lack ${lacks.join(", ")}`]),
    ...(adds.length === 0 ? [] : [`have ${adds.join(", ")} beyond it`]),
    ...(signature === null
      ? []
      : [
          `are family ${hex(signature.family)} model ${hex(signature.model)} stepping ${hex(signature.stepping)}`,
        ]),
  ];
  return `Logical CPUs ${ranges(cpus)} differ from the first: they ${parts.join(", ")}.`;
}

const hex = (value: number): string => value.toString(16);

/** `0-3, 8`. */
function ranges(numbers: readonly number[]): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const runs: { first: number; last: number }[] = [];
  for (const number of sorted) {
    const run = runs.at(-1);
    if (run !== undefined && number === run.last + 1) run.last = number;
    else runs.push({ first: number, last: number });
  }
  return runs
    .map(({ first, last }) => (first === last ? String(first) : `${String(first)}-${String(last)}`))
    .join(", ");
}
