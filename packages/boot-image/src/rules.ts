/**
 * The rules of the image's program: the report's sentences and decisions, taken from the CPU package and written as
 * lines of fields, separated by tabs, that a short Perl program can follow. So nothing that is known of CPUs
 * is written twice: the lines of the report are asked of `reportText`, which feature answers which line of
 * `reportOf`, and what depends on the model of its decisions, for every model that there can be.
 *
 *   feature  NAME LEAF SUBLEAF REGISTER BIT COMPARED   answers KEY FEATURE   sse FEATURE TEXT
 *   mode     KEY VENDOR FEATURES                        line KEY ANSWER TEXT (both empty: always)
 *   vendor   SPELLING TEXT                              note NAME TEXT
 *   choice   QUESTION NUMBER ANSWER NOTE                kinds QUESTION VENDOR MODELS CHOICES
 */
import type { CpuReport } from "@godwit/contract";
import { evcModes, evcVendorOf, features, reportOf, reportText, type CpuSource } from "@godwit/cpu";
import { decisionRules } from "./decision-rules.ts";
import { vendors } from "./vendors.ts";

/** The report's source, as the report names it. */
export const imageSource = "/dev/cpu/N/cpuid, read by Godwit's boot image";

const answers = [
  ["nx", "cmpxchg16b", "rdtscp", "hyperthreading"],
  ["flexMigration", "longMode", "vmware64"],
].flat() as readonly Answer[];
type Answer = "nx" | "cmpxchg16b" | "rdtscp" | "hyperthreading" | "flexMigration" | "longMode" | "vmware64";

/** The rules as a file. */
export function rulesText(): string {
  const rows = [
    ...featureRules(),
    ...modeRules(),
    ...lineRules(),
    ...vendorRules(),
    ...noteRules(),
    ...decisionRules(),
  ];
  return rows.map((fields) => `${fields.join("\t")}\n`).join("");
}

const registers = ["eax", "ebx", "ecx", "edx"];

function featureRules(): string[][] {
  const alone = new Map(features.map(({ name }) => [name, reportOf(sourceWith([name]))]));
  const { sse } = reportOf(sourceWith([...alone.keys()]));
  const namesFor = (says: (report: CpuReport) => boolean): string[] =>
    [...alone].filter(([, report]) => says(report)).map(([name]) => name);
  return [
    ...features.map(({ name, leaf, subleaf, register, bit, runtime }) => [
      ...["feature", name],
      ...[leaf, subleaf, registers.indexOf(register), bit, runtime ? 0 : 1].map(String),
    ]),
    ...answers.flatMap((key) =>
      namesFor((report) => report[key] === true).map((name) => ["answers", key, name]),
    ),
    ...sse.flatMap((text) =>
      namesFor((report) => report.sse.includes(text)).map((name) => ["sse", name, text]),
    ),
  ];
}

const modeRules = (): string[][] =>
  vendors.flatMap((vendor) =>
    evcModes
      .filter((mode) => mode.vendor === evcVendorOf({ vendor }))
      .map((mode) => ["mode", mode.key, vendor, mode.features.join(" ")]),
  );

/** A report whose every word is a place to be filled. Numbers that no CPU has stand for the others. */
const places = {
  ...{ logicalCpus: 987_654, family: 0xfa0001, model: 0xde0002, stepping: 0x5e0003 },
  ...{ vendor: "{vendor}", brand: "{brand}", source: imageSource, sse: ["{sse}"], evcModes: ["{modes}"] },
  registers: { id1ecx: "{id1ecx}", id1edx: "{id1edx}", id81ecx: "{id81ecx}", id81edx: "{id81edx}" },
} satisfies Partial<CpuReport>;
const placed = [
  ["987654", "{cpus}"],
  ["fa0001", "{family}"],
  ["de0002", "{model}"],
  ["5e0003", "{stepping}"],
] as const;

/** Lines that depend on an answer, once for each answer; the others once. Empty lists are answers too. */
function lineRules(): string[][] {
  const whole = { ...reportOf(sourceWith([])), ...places, notes: ["{note}"] };
  const linesOf = (changed: Partial<CpuReport>): string[] => {
    const text = placed.reduce(
      (words, [number, place]) => words.replace(number, place),
      reportText({ ...whole, ...changed }),
    );
    return text.trimEnd().split("\n");
  };
  const yesNo = answers.map((key) => ({
    key,
    cases: { yes: { [key]: true }, no: { [key]: false }, unknown: { [key]: null } } satisfies Cases,
  }));
  const lists = (["brand", "sse", "evcModes"] as const).map((key) => ({
    key,
    cases: { some: {}, none: { [key]: key === "brand" ? "" : [] } } satisfies Cases,
  }));
  const usual = linesOf({});
  const rules = usual.map((text): string[][] => [["line", text === "Note: {note}" ? "notes" : "", "", text]]);
  for (const { key, cases } of [...yesNo, ...lists]) {
    const texts = Object.entries(cases).map(([answer, changed]) => ({ answer, lines: linesOf(changed) }));
    const index = usual.findIndex((_, at) => new Set(texts.map(({ lines }) => lines[at])).size > 1);
    rules[index] = texts.map(({ answer, lines }) => ["line", key, answer, lines[index] ?? ""]);
  }
  return rules.flat();
}
type Cases = Readonly<Record<string, Partial<CpuReport>>>;

function vendorRules(): string[][] {
  const textOf = (vendor: string) =>
    /^Vendor\s*: (.*)$/m.exec(reportText({ ...reportOf(sourceWith([])), vendor }))?.[1] ?? vendor;
  return vendors.map((vendor) => ["vendor", vendor, textOf(vendor)]);
}

/** Notes with placeholders, by their subject. */
function noteRules(): string[][] {
  const usual = new Set(reportOf(sourceWith([])).notes);
  const noteOf = (source: CpuSource): string => reportOf(source).notes.find((note) => !usual.has(note)) ?? "";
  const underHypervisor = (hypervisor: string) =>
    noteOf({ ...sourceWith(["hypervisor"]), reported: { flexMigration: true, hypervisor } });
  const parts = { lacks: ["{lacks}"], adds: ["{adds}"] };
  const differences = [1, 2, 3, 4, 5, 6, 7].map((told) => {
    const difference = {
      cpus: [987_654],
      lacks: told & 1 ? parts.lacks : [],
      adds: told & 2 ? parts.adds : [],
      signature: told & 4 ? { family: 0xfa0001, model: 0xde0002, stepping: 0x5e0003 } : null,
    };
    const note = noteOf({ ...sourceWith([]), reported: { coreDifferences: [difference] } });
    return [
      "note",
      `difference-${String(told)}`,
      placed.reduce((text, [number, place]) => text.replace(number, place), note),
    ];
  });
  return [
    ["note", "virtual", underHypervisor("{hypervisor}")],
    ["note", "virtual-unknown", underHypervisor("unknown")],
    ...differences,
  ];
}

/** A source that reports every feature by name, as present or absent. */
function sourceWith(has: readonly string[]): CpuSource {
  return {
    format: "cpuid-device",
    label: imageSource,
    cpus: [],
    named: {
      ...{ vendor: "{vendor}", family: 6, model: 1, stepping: 1, brand: "{brand}", logicalCpus: 1 },
      features: has,
      lacks: features.map(({ name }) => name).filter((name) => !has.includes(name)),
    },
    notes: [],
  };
}
