/** Decodes what a machine or a file reports into the report that `godwit cpu report` prints. */
import type { CpuReport } from "@godwit/contract";
import { asciiOf, hex32, vendorOf, type CpuidLeaf } from "../cpuid/leaves.ts";
import { evcModes, satisfiedModes } from "../evc-modes/modes.ts";
import { features } from "../features/features.ts";
import { inferredPresence } from "../features/inferred.ts";
import type { CpuSource } from "../formats/cpu-source.ts";
import { coreDifferencesOf } from "./core-differences.ts";
import { cpuOf, leafOfReport } from "../cpuid/cpu.ts";
import { bitIs, hasFeature, signatureOf, answersOf, registerValue, type SourceAnswers } from "./decode.ts";
import { msrFeaturesOf } from "./msr-features-of.ts";
import { flexMigrationOf } from "./flex-migration.ts";
import { flexNote, notesOn, vmware64Note } from "./notes.ts";
import { vmware64Of } from "./vmware64.ts";

const sseNames = [
  ["sse", "SSE1"],
  ["sse2", "SSE2"],
  ["pni", "SSE3"],
  ["ssse3", "SSSE3"],
  ["sse4.1", "SSE4.1"],
  ["sse4.2", "SSE4.2"],
  ["sse4a", "SSE4A"],
] as const;

/** The report of a source; what it does not report is null or among `unknownFeatures`. */
export function reportOf(source: CpuSource): CpuReport {
  const answers = withModes(answersOf(source), source.reported?.evcModes ?? []);
  const told = new Map(features.map((feature) => [feature.name, hasFeature(answers, feature)]));
  const decided = new Map(
    features.map((feature) => [feature.name, inferredPresence(feature, (name) => told.get(name) ?? null)]),
  );
  const namesThat = (has: boolean | null): string[] =>
    [...decided.keys()].filter((name) => decided.get(name) === has);
  const answer = (name: string): boolean | null => decided.get(name) ?? null;
  // Features that the source names and this table does not: a newer Godwit wrote it.
  const others = (source.named?.features ?? []).filter((name) => !decided.has(name));
  const eax = registerValue(answers, 1, 0, "eax");
  const { family, model, stepping } =
    eax === undefined ? (source.named ?? { family: null, model: null, stepping: null }) : signatureOf(eax);
  const vendor = vendorText(answers) ?? source.named?.vendor ?? "unknown";
  const brand = brandText(answers) ?? source.named?.brand ?? "";
  const hypervisor = hypervisorOf(answers, source.reported?.hypervisor ?? null);
  const msrs = source.cpus[0]?.msrs ?? [];
  const msrFeatures = msrFeaturesOf(msrs, source.named?.msrFeatures);
  const identity = { vendor, family, model, brand, msrs, virtual: hypervisor !== null };
  const flex = flexMigrationOf({ ...identity, leaf21: registerValue(answers, 0x80000021, 0, "eax") });
  const coreDifferences = source.reported?.coreDifferences ?? coreDifferencesOf(source.cpus);
  // A guest may run on any of them: what one lacks the machine lacks, and a loss on one is a loss.
  const lackedBySome = new Set(coreDifferences.flatMap(({ lacks }) => lacks));
  const addedBySome = new Set(coreDifferences.flatMap(({ adds }) => adds));
  const onAll = (name: string): boolean | null => (lackedBySome.has(name) ? false : answer(name));
  const onSome = (name: string): boolean | null => (addedBySome.has(name) ? true : answer(name));
  const vmware64 = vmware64Of({
    ...identity,
    longMode: onAll("lm"),
    vmx: onAll("vmx"),
    svm: onAll("svm"),
    noSegmentLimits: onSome("lmsle-unsupported"),
  });
  const report: CpuReport = {
    version: 1,
    source: source.label,
    format: source.format,
    vendor,
    family,
    model,
    stepping,
    brand,
    logicalCpus: source.named?.logicalCpus ?? (source.cpus.length === 0 ? null : source.cpus.length),
    registers: {
      id1ecx: registerText(registerValue(answers, 1, 0, "ecx")),
      id1edx: registerText(registerValue(answers, 1, 0, "edx")),
      id81ecx: registerText(registerValue(answers, 0x80000001, 0, "ecx")),
      id81edx: registerText(registerValue(answers, 0x80000001, 0, "edx")),
    },
    leaves: (source.cpus[0]?.leaves ?? []).map(leafText),
    msrs: msrs.map(({ msr, value }) => ({
      msr: hex32(msr),
      value: value === null ? null : `0x${value.toString(16).padStart(16, "0")}`,
    })),
    features: [...namesThat(true), ...others].sort(),
    unknownFeatures: namesThat(null).sort(),
    ...(msrFeatures === null ? {} : { msrFeatures }),
    sse: sseNames.filter(([name]) => answer(name) === true).map(([, text]) => text),
    nx: answer("nx"),
    cmpxchg16b: answer("cx16"),
    rdtscp: answer("rdtscp"),
    hyperthreading: answer("ht"),
    longMode: answer("lm"),
    flexMigration: source.reported?.flexMigration ?? flex.has,
    vmware64: source.reported?.vmware64 ?? vmware64.has,
    evcModes: [],
    hypervisor,
    ...(source.reported?.offered === true ? { offered: true } : {}),
    coreDifferences,
    ...(source.reported?.utilityRun === undefined ? {} : { utilityRun: source.reported.utilityRun }),
    notes: [],
  };
  const cpu = cpuOf(report);
  const notes = [
    ...source.notes,
    ...(source.reported?.flexMigration === undefined ? [flexNote(flex)] : []),
    ...(report.vmware64 === null ? [vmware64Note(vmware64.because)] : []),
    ...notesOn(report, cpu),
  ];
  return {
    ...report,
    evcModes: satisfiedModes(cpu).map(({ key }) => key),
    notes: [...new Set(notes)],
  };
}

/** A CPU that was found to satisfy a mode has all of its features; where a register says otherwise, that counts. */
function withModes(answers: SourceAnswers, keys: readonly string[]): SourceAnswers {
  const given = evcModes.filter(({ key }) => keys.includes(key)).flatMap((mode) => mode.features);
  return given.length === 0
    ? answers
    : { ...answers, has: new Set([...answers.has, ...given.filter((name) => !answers.lacks.has(name))]) };
}

/** Whether all that it says of features follows from its leaves and four registers. */
export function followsFromRegisters(report: CpuReport): boolean {
  const cpus = [{ id: null, leaves: report.leaves.map(leafOfReport), msrs: [] }];
  const { id1ecx, id1edx, id81ecx, id81edx } = report.registers;
  const registers = Object.fromEntries(
    Object.entries({ id1ecx, id1edx, id81ecx, id81edx }).flatMap(([name, word]) =>
      word === null ? [] : [[name, Number(word)]],
    ),
  );
  const bare = { format: report.format, label: "", cpus, named: null, reported: { registers }, notes: [] };
  const again = reportOf(bare);
  return (
    again.features.join() === report.features.join() &&
    again.unknownFeatures.join() === report.unknownFeatures.join()
  );
}

function vendorText(answers: SourceAnswers): string | null {
  const leaf = answers.leafAt(0, 0);
  return leaf === undefined ? null : vendorOf(leaf);
}

/** null: not all of it is answers. */
function brandText(answers: SourceAnswers): string | null {
  const parts = [0x80000002, 0x80000003, 0x80000004].flatMap((leaf) => answers.leafAt(leaf, 0) ?? []);
  if (parts.length < 3) return null;
  const [text = ""] = asciiOf(parts.flatMap(({ eax, ebx, ecx, edx }) => [eax, ebx, ecx, edx])).split("\0");
  return text.replace(/[^\x20-\x7e]/g, "?").trim();
}

/** The hypervisor's name for itself, `unknown` where only its bit shows; null: none. */
function hypervisorOf(answers: SourceAnswers, named: string | null): string | null {
  const bit = bitIs(answers, 1, "ecx", 31);
  if (bit !== true) return bit === undefined ? named : null;
  const leaf = answers.leafAt(0x40000000, 0);
  const [name = ""] = leaf === undefined ? [] : asciiOf([leaf.ebx, leaf.ecx, leaf.edx]).split("\0");
  return /^[\x20-\x7e]+$/.test(name) ? name.trim() : (named ?? "unknown");
}

const registerText = (word: number | undefined): string | null => (word === undefined ? null : hex32(word));

const leafText = ({ leaf, subleaf, eax, ebx, ecx, edx }: CpuidLeaf): CpuReport["leaves"][number] => ({
  leaf: hex32(leaf),
  subleaf: hex32(subleaf),
  eax: hex32(eax),
  ebx: hex32(ebx),
  ecx: hex32(ecx),
  edx: hex32(edx),
});
