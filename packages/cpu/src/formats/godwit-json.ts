/**
 * Our own report as JSON. Where it holds CPUID leaves these count, and its feature list must not contain a feature
 * that the leaves deny; a report of an older Godwit gains what newer tables can read from its leaves.
 */
import { cpuReportSchema, type CpuReport } from "@godwit/contract";
import { leafOfReport, msrsOfReport } from "../cpuid/cpu.ts";
import { bitOf, hex32, leafOf, placeOf, registerOf, type CpuidLeaf } from "../cpuid/leaves.ts";
import { featureNamed, features } from "../features/features.ts";
import { broken, type FileName } from "./broken.ts";
import type { CpuSource, ReportedFacts } from "./cpu-source.ts";

/** @throws CPU_FILE_BROKEN */
export function readGodwitJson(text: string, file: FileName): CpuSource {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw broken(
      file,
      null,
      `it is no whole JSON document: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  const parsed = cpuReportSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where =
      issue === undefined || issue.path.length === 0 ? "the document" : issue.path.map(String).join(".");
    throw broken(
      file,
      null,
      `a report of godwit cpu report --json was expected: ${where}: ${issue?.message ?? "not valid"}`,
    );
  }
  return sourceOf(parsed.data, file);
}

function sourceOf(report: CpuReport, file: FileName): CpuSource {
  const leaves = leavesOf(report, file);
  const unknown = new Set(report.unknownFeatures);
  const has = new Set(report.features);
  const { id1ecx, id1edx, id81ecx, id81edx } = report.registers;
  const reported: ReportedFacts = {
    registers: {
      ...(id1ecx === null ? {} : { id1ecx: Number(id1ecx) }),
      ...(id1edx === null ? {} : { id1edx: Number(id1edx) }),
      ...(id81ecx === null ? {} : { id81ecx: Number(id81ecx) }),
      ...(id81edx === null ? {} : { id81edx: Number(id81edx) }),
    },
    ...(report.flexMigration === null ? {} : { flexMigration: report.flexMigration }),
    ...(report.vmware64 === null ? {} : { vmware64: report.vmware64 }),
    ...(report.hypervisor === null ? {} : { hypervisor: report.hypervisor }),
    ...(report.offered === undefined ? {} : { offered: report.offered }),
    coreDifferences: report.coreDifferences,
    ...(report.utilityRun === undefined ? {} : { utilityRun: report.utilityRun }),
  };
  return {
    format: "godwit-json",
    label: file.label,
    cpus:
      leaves.length === 0 && report.msrs.length === 0
        ? []
        : [{ id: null, leaves, msrs: msrsOfReport(report) }],
    named: {
      vendor: report.vendor === "unknown" ? null : report.vendor,
      family: report.family,
      model: report.model,
      stepping: report.stepping,
      brand: report.brand,
      logicalCpus: report.logicalCpus,
      features: report.features,
      lacks: features.map((one) => one.name).filter((name) => !has.has(name) && !unknown.has(name)),
      ...(report.msrFeatures === undefined ? {} : { msrFeatures: report.msrFeatures }),
    },
    reported,
    notes: report.notes,
  };
}

function leavesOf(report: CpuReport, file: FileName): CpuidLeaf[] {
  const leaves: CpuidLeaf[] = [];
  const seen = new Set<string>();
  for (const texts of report.leaves) {
    const { leaf, subleaf } = texts;
    const key = `${leaf}.${subleaf}`;
    if (seen.has(key)) throw broken(file, null, `leaf ${leaf} subleaf ${subleaf} is given twice`);
    seen.add(key);
    leaves.push(leafOfReport(texts));
  }
  for (const name of report.features) {
    const feature = featureNamed(name);
    if (feature === undefined) continue;
    const word = registerOf(leaves, feature.leaf, feature.subleaf, feature.register);
    if (word === undefined || bitOf(word, feature.bit)) continue;
    throw broken(file, null, `it lists the feature ${name}, but ${placeOf(feature)} is 0 in its leaves`);
  }
  const words = {
    id1ecx: [1, "ecx"],
    id1edx: [1, "edx"],
    id81ecx: [0x80000001, "ecx"],
    id81edx: [0x80000001, "edx"],
  } as const;
  for (const [name, [leaf, register]] of Object.entries(words)) {
    const stated = report.registers[name as keyof typeof words];
    const word = leafOf(leaves, leaf)?.[register];
    if (stated !== null && word !== undefined && stated !== hex32(word))
      throw broken(file, null, `its register ${name} is ${stated}, but its leaves say ${hex32(word)}`);
  }
  return leaves;
}
