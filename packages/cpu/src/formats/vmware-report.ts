/**
 * The report of VMware's CPU identification utility, and our own in its layout. It tells four registers, and
 * answers in words; ours tells all else below. A file may hold several runs, as a serial line recorded them; the last
 * one counts.
 */
import { bitOf, hex32, registerOf } from "../cpuid/leaves.ts";
import { broken, quoted, type FileName } from "./broken.ts";
import { features } from "../features/features.ts";
import type { CpuSource, ReportedFacts } from "./cpu-source.ts";
import { DetailsReader, type ReportDetails } from "./report-details.ts";

const seedLine = /^Random_Init: Using random seed: (0x[0-9a-f]{1,16})\s*$/i;
const startLine = /^Reporting CPUID for (\d{1,6}|Unknown) logical CPU/i;
const signatureLine = /^Family:\s*(\S+)\s+Model:\s*(\S+)\s+Stepping:\s*(\S+)\s*$/i;
const registerHeading = /^ID1ECX\s+ID1EDX\s+ID81ECX\s+ID81EDX\s*$/i;
const registerLine =
  /^(0x[0-9a-f]{8}|Unknown)\s+(0x[0-9a-f]{8}|Unknown)\s+(0x[0-9a-f]{8}|Unknown)\s+(0x[0-9a-f]{8}|Unknown)\s*$/i;
const passLine = /^PASS: Test (\d{1,9}): CPUID\s*$/i;
const noteLine = /^Note: (.+)$/;
/** Only our own report says where it is from. */
const sourceLine = /^Source: /;
type Label =
  | "vendor"
  | "brand"
  | "sse"
  | "nx"
  | "cx16"
  | "rdtscp"
  | "ht"
  | "flexMigration"
  | "lm"
  | "vmware64"
  | "evcModes";
const labels: ReadonlyMap<string, Label> = new Map([
  ["vendor", "vendor"],
  ["brand string", "brand"],
  ["sse support", "sse"],
  ["supports nx / xd", "nx"],
  ["supports cmpxchg16b", "cx16"],
  ["supports rdtscp", "rdtscp"],
  ["hyperthreading", "ht"],
  ["supports flex migration", "flexMigration"],
  ["supports 64-bit longmode", "lm"],
  ["supports 64-bit vmware", "vmware64"],
  ["supported evc modes", "evcModes"],
]);

interface Answer {
  readonly text: string;
  readonly line: number;
}

interface Run {
  readonly line: number;
  seed: string | null;
  test: number | null;
  logicalCpus: number | null;
  signature: readonly (number | null)[] | null;
  /** Of each logical CPU that has a row. */
  readonly registers: { readonly line: number; readonly words: readonly (number | null)[] }[];
  readonly answers: Map<Label, Answer>;
  readonly notes: string[];
  readonly details: DetailsReader;
  isOurs: boolean;
}

/** Whether a line is one that only this format has. */
export const isVmwareReportLine = (line: string): boolean =>
  seedLine.test(line) || startLine.test(line) || registerHeading.test(line) || signatureLine.test(line);

/** @throws CPU_FILE_BROKEN */
export function readVmwareReport(lines: readonly string[], file: FileName): CpuSource {
  const runs = runsOf(lines, file);
  const last = runs.at(-1);
  if (last === undefined)
    throw broken(file, lines.length, 'the line "Reporting CPUID for … logical CPU..." was expected');
  const source = sourceOf(last, file, lines.length);
  const others = runs.slice(0, -1).filter((run) => wordsOfRun(run) !== wordsOfRun(last));
  const note =
    runs.length === 1
      ? []
      : [
          others.length === 0
            ? `The file holds ${String(runs.length)} runs; all tell the same.`
            : `The file holds ${String(runs.length)} runs, and ${String(others.length)} of the earlier ones differ; this is the last, from line ${String(last.line)}.`,
        ];
  return { ...source, notes: [...note, ...source.notes] };
}

function runsOf(lines: readonly string[], file: FileName): Run[] {
  const runs: Run[] = [];
  let seed: string | null = null;
  /** The run that lines belong to; a line before the first heading begins one too. */
  const current = (line: number): Run => {
    const run = runs.at(-1);
    if (run !== undefined) return run;
    return begin(line);
  };
  const begin = (line: number): Run => {
    const run: Run = {
      line,
      seed,
      test: null,
      logicalCpus: null,
      signature: null,
      registers: [],
      answers: new Map(),
      notes: [],
      details: new DetailsReader(file),
      isOurs: false,
    };
    runs.push(run);
    seed = null;
    return run;
  };
  lines.forEach((raw, index) => {
    const text = raw.trim();
    const line = index + 1;
    const seeded = seedLine.exec(text)?.[1];
    if (seeded !== undefined) {
      seed = seeded;
      return;
    }
    const started = startLine.exec(text)?.[1];
    if (started !== undefined) {
      begin(line).logicalCpus = /^\d/.test(started) ? Number(started) : null;
      return;
    }
    if (text !== "") readLine(text, line, current, file);
  });
  return runs;
}

function readLine(text: string, line: number, current: (line: number) => Run, file: FileName): void {
  if (current(line).details.read(text, line)) return;
  if (sourceLine.test(text)) {
    current(line).isOurs = true;
    return;
  }
  const signature = signatureLine.exec(text);
  if (signature !== null) {
    const numbers = signature.slice(1).map((word) => numberOf(word, file, line));
    current(line).signature ??= numbers;
    return;
  }
  if (/^0x/i.test(text) || /^Unknown\s/i.test(text)) {
    const words = registerLine.exec(text)?.slice(1);
    if (words === undefined) {
      throw broken(
        file,
        line,
        `the four registers ID1ECX, ID1EDX, ID81ECX and ID81EDX of 0x and eight hexadecimal digits were expected, and ${quoted(text)} is there`,
      );
    }
    current(line).registers.push({
      line,
      words: words.map((word) => (/^0x/i.test(word) ? Number.parseInt(word, 16) : null)),
    });
    return;
  }
  const test = passLine.exec(text)?.[1];
  if (test !== undefined) {
    current(line).test = Number(test);
    return;
  }
  const note = noteLine.exec(text)?.[1];
  if (note !== undefined) {
    current(line).notes.push(note);
    return;
  }
  const colon = text.indexOf(":");
  const label = labels.get(text.slice(0, Math.max(0, colon)).trim().toLowerCase());
  if (label !== undefined) current(line).answers.set(label, { text: text.slice(colon + 1).trim(), line });
}

function sourceOf(run: Run, file: FileName, lastLine: number): CpuSource {
  const [first] = run.registers;
  if (first === undefined) {
    throw broken(
      file,
      lastLine,
      "the line with the registers ID1ECX, ID1EDX, ID81ECX and ID81EDX was expected after line " +
        String(run.line),
    );
  }
  const [family = null, model = null, stepping = null] = run.signature ?? [];
  if (run.signature === null)
    throw broken(file, first.line, "the line with Family, Model and Stepping was expected before it");
  const vendor = run.answers.get("vendor");
  if (vendor === undefined)
    throw broken(file, lastLine, 'the line "Vendor : …" was expected after the registers');
  const [id1ecx, id1edx, id81ecx, id81edx] = first.words.map((word) => word ?? undefined);
  const registers = {
    ...(id1ecx === undefined ? {} : { id1ecx }),
    ...(id1edx === undefined ? {} : { id1edx }),
    ...(id81ecx === undefined ? {} : { id81ecx }),
    ...(id81edx === undefined ? {} : { id81edx }),
  };
  const details = run.details.finish();
  checkRegisters(registers, details, file);
  const modes = run.answers.get("evcModes")?.text.split(/,\s*/) ?? [];
  const reported: ReportedFacts = {
    registers,
    ...(run.isOurs ? { evcModes: modes.filter((mode) => /^(?:intel|amd)-/.test(mode)) } : {}),
    ...(details.hypervisor === null ? {} : { hypervisor: details.hypervisor, offered: details.offered }),
    ...(details.coreDifferences.length === 0 ? {} : { coreDifferences: details.coreDifferences }),
    ...yesOrNo("flexMigration", run.answers),
    ...yesOrNo("vmware64", run.answers),
    ...(run.seed === null || run.test === null ? {} : { utilityRun: { seed: run.seed, test: run.test } }),
  };
  return {
    format: "vmware-report",
    label: file.label,
    cpus:
      details.leaves.length + details.msrs.length === 0
        ? []
        : [{ id: null, leaves: details.leaves, msrs: details.msrs }],
    named: {
      vendor: vendorNamed(vendor.text),
      family,
      model,
      stepping,
      brand: brandOf(run.answers.get("brand")?.text),
      logicalCpus: run.logicalCpus,
      ...namedFeatures(details),
      ...(details.msrFeatures === null ? {} : { msrFeatures: details.msrFeatures }),
    },
    reported,
    notes: [
      ...missingLines(run.answers),
      ...contradictions(run.answers, registers),
      ...differingRows(run),
      ...run.notes,
    ],
  };
}

function namedFeatures({ named }: ReportDetails): { features: readonly string[]; lacks: readonly string[] } {
  if (named === null) return { features: [], lacks: [] };
  const told = new Set([...named.has, ...named.unknown]);
  return { features: named.has, lacks: features.map(({ name }) => name).filter((name) => !told.has(name)) };
}

/** @throws CPU_FILE_BROKEN where the four registers and the leaves below are not of one CPU */
function checkRegisters(
  registers: NonNullable<ReportedFacts["registers"]>,
  { leaves }: ReportDetails,
  file: FileName,
): void {
  const words = {
    id1ecx: registerOf(leaves, 1, 0, "ecx"),
    id1edx: registerOf(leaves, 1, 0, "edx"),
    id81ecx: registerOf(leaves, 0x80000001, 0, "ecx"),
    id81edx: registerOf(leaves, 0x80000001, 0, "edx"),
  };
  for (const [name, word] of Object.entries(words)) {
    const stated = registers[name as keyof typeof words];
    if (stated === undefined || word === undefined || stated === word) continue;
    throw broken(
      file,
      null,
      `${name.toUpperCase()} is ${hex32(stated)}, but its leaf below says ${hex32(word)}`,
    );
  }
}

function numberOf(word: string, file: FileName, line: number): number | null {
  if (/^Unknown$/i.test(word)) return null;
  if (/^[0-9a-f]{1,4}$/i.test(word)) return Number.parseInt(word, 16);
  throw broken(
    file,
    line,
    `family, model and stepping were expected as hexadecimal numbers, and ${quoted(word)} is there`,
  );
}

/** As the utility writes vendors; one that is spelt as in CPUID stays as it is. */
function vendorNamed(text: string): string | null {
  if (/^unknown$/i.test(text) || text === "") return null;
  return { intel: "GenuineIntel", amd: "AuthenticAMD", hygon: "HygonGenuine" }[text.toLowerCase()] ?? text;
}

function brandOf(text: string | undefined): string | null {
  if (text === undefined || /^unknown$/i.test(text)) return null;
  return text.replace(/^"/, "").replace(/"$/, "");
}

function yesOrNo<Name extends "flexMigration" | "vmware64">(
  name: Name,
  answers: Run["answers"],
): { [One in Name]?: boolean } {
  const text = answers.get(name)?.text.toLowerCase();
  return text === "yes" || text === "no" ? ({ [name]: text === "yes" } as { [One in Name]: boolean }) : {};
}

function missingLines(answers: Run["answers"]): string[] {
  const missing = [...labels].filter(([, label]) => !answers.has(label)).map(([words]) => `"${words}"`);
  return missing.length === 0
    ? []
    : [`The report is cut short or incomplete: it has no line ${missing.join(", ")}.`];
}

/** Where a line in words and the registers above it say different things. */
function contradictions(
  answers: Run["answers"],
  registers: NonNullable<ReportedFacts["registers"]>,
): string[] {
  const checks: readonly [Label, keyof typeof registers, number, string][] = [
    ["nx", "id81edx", 20, "Supports NX / XD"],
    ["cx16", "id1ecx", 13, "Supports CMPXCHG16B"],
    ["rdtscp", "id81edx", 27, "Supports RDTSCP"],
    ["ht", "id1edx", 28, "Hyperthreading"],
    ["lm", "id81edx", 29, "Supports 64-bit Longmode"],
  ];
  return checks.flatMap(([label, name, bit, words]) => {
    const answer = answers.get(label);
    const word = registers[name];
    if (answer === undefined || word === undefined || !/^(yes|no)$/i.test(answer.text)) return [];
    if (bitOf(word, bit) === /^yes$/i.test(answer.text)) return [];
    return [
      `Line ${String(answer.line)} says "${words}: ${answer.text}", but bit ${String(bit)} of ${name.toUpperCase()} says otherwise; the register counts.`,
    ];
  });
}

function differingRows({ registers }: Run): string[] {
  const [first, ...others] = registers;
  const odd = others.find(({ words }) => words.join() !== first?.words.join());
  return odd === undefined
    ? []
    : [`The logical CPUs differ: the registers at line ${String(odd.line)} are not those of the first one.`];
}

const wordsOfRun = ({ signature, registers }: Run): string =>
  JSON.stringify([signature, registers.map((one) => one.words)]);
