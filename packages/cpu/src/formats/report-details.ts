/**
 * What a text report of Godwit tells below the lines of VMware's utility, which have only four registers: every
 * leaf, MSRs, what is known by name only, and how cores differ. What is written here is read back as it was.
 */
import type { CpuReport } from "@godwit/contract";
import { leafOfReport, msrsOfReport } from "../cpuid/cpu.ts";
import type { CpuidLeaf, MsrKnowledge, MsrValue } from "../cpuid/leaves.ts";
import { broken, quoted, type FileName } from "./broken.ts";

/** Everything is empty where the report has no such lines. */
export interface ReportDetails {
  readonly leaves: readonly CpuidLeaf[];
  readonly msrs: readonly MsrValue[];
  /** Of all features: those that it has, and of which it does not know; null: they follow from the leaves. */
  readonly named: { readonly has: readonly string[]; readonly unknown: readonly string[] } | null;
  /** Of the features in model-specific registers; null: they follow from the registers' values. */
  readonly msrFeatures: MsrKnowledge | null;
  readonly coreDifferences: CpuReport["coreDifferences"];
  readonly hypervisor: string | null;
  readonly offered: boolean;
}

type Texts = CpuReport["leaves"][number];
type Difference = CpuReport["coreDifferences"][number];

const leafLine =
  /^Leaf (0x[0-9a-f]{8}) (0x[0-9a-f]{8}) : (0x[0-9a-f]{8}) (0x[0-9a-f]{8}) (0x[0-9a-f]{8}) (0x[0-9a-f]{8})$/;
const msrLine = /^Register (0x[0-9a-f]{8}) : (0x[0-9a-f]{16}|unreadable)$/;
const listLine = /^(Features|Unknown features|MSR features|Absent MSR features) : ([a-z0-9 ._-]*)$/;
const coresLine =
  /^Cores ([\d ]+) : lack \[([a-z0-9 ._-]*)\] have \[([a-z0-9 ._-]*)\] family (\d+|-) model (\d+|-) stepping (\d+|-)$/;
const hypervisorLine = /^Hypervisor : (.*?)( \(what it offers\))?$/;
const begins =
  /^(?:Leaf 0x|Register 0x|Features :|Unknown features :|MSR features :|Absent MSR features :|Cores \d|Hypervisor :)/;

/** @param byName whether the report's features do not all follow from its leaves, and from its registers' values */
export function detailLines(
  report: CpuReport,
  byName: { readonly features: boolean; readonly msrFeatures: boolean },
): string[] {
  return [
    ...(report.hypervisor === null
      ? []
      : [`Hypervisor : ${report.hypervisor}${report.offered === true ? " (what it offers)" : ""}`]),
    ...report.leaves.map(
      ({ leaf, subleaf, eax, ebx, ecx, edx }) =>
        `Leaf ${leaf} ${subleaf} : ${[eax, ebx, ecx, edx].join(" ")}`,
    ),
    ...report.msrs.map(({ msr, value }) => `Register ${msr} : ${value ?? "unreadable"}`),
    ...report.coreDifferences.map(coresText),
    ...(byName.features
      ? [`Features : ${report.features.join(" ")}`, `Unknown features : ${report.unknownFeatures.join(" ")}`]
      : []),
    ...(byName.msrFeatures
      ? [
          `MSR features : ${(report.msrFeatures?.has ?? []).join(" ")}`,
          `Absent MSR features : ${(report.msrFeatures?.lacks ?? []).join(" ")}`,
        ]
      : []),
  ];
}

function coresText({ cpus, lacks, adds, signature }: Difference): string {
  const numbers = [signature?.family, signature?.model, signature?.stepping].map((one) => String(one ?? "-"));
  const [family = "", model = "", stepping = ""] = numbers;
  return `Cores ${cpus.join(" ")} : lack [${lacks.join(" ")}] have [${adds.join(" ")}] family ${family} model ${model} stepping ${stepping}`;
}

/** Gathers such lines of one report. */
export class DetailsReader {
  readonly #file: FileName;
  readonly #leaves = new Map<string, Texts>();
  readonly #msrs: CpuReport["msrs"] = [];
  readonly #lists = new Map<string, readonly string[]>();
  readonly #differences: Difference[] = [];
  #hypervisor: { name: string; offered: boolean } | null = null;

  constructor(file: FileName) {
    this.#file = file;
  }

  /** @returns whether the line is such a line @throws CPU_FILE_BROKEN where it begins like one */
  read(text: string, line: number): boolean {
    if (!begins.test(text)) return false;
    const leaf = leafLine.exec(text)?.slice(1);
    const msr = msrLine.exec(text);
    const list = listLine.exec(text);
    const cores = coresLine.exec(text);
    const hypervisor = hypervisorLine.exec(text);
    if (leaf !== undefined) this.#addLeaf(leaf, line);
    else if (msr !== null)
      this.#msrs.push({ msr: msr[1] ?? "", value: msr[2] === "unreadable" ? null : (msr[2] ?? null) });
    else if (list !== null) this.#lists.set(list[1] ?? "", words(list[2]));
    else if (cores !== null) this.#differences.push(differenceIn(cores));
    else if (hypervisor !== null)
      this.#hypervisor = { name: hypervisor[1] ?? "", offered: hypervisor[2] !== undefined };
    else
      throw broken(
        this.#file,
        line,
        `a line of godwit cpu report was expected, and ${quoted(text)} is there`,
      );
    return true;
  }

  #addLeaf([leaf = "", subleaf = "", eax = "", ebx = "", ecx = "", edx = ""]: string[], line: number): void {
    const key = `${leaf} ${subleaf}`;
    if (this.#leaves.has(key)) throw broken(this.#file, line, `leaf ${key} is given twice`);
    this.#leaves.set(key, { leaf, subleaf, eax, ebx, ecx, edx });
  }

  finish(): ReportDetails {
    const has = this.#lists.get("Features");
    const msrHas = this.#lists.get("MSR features");
    return {
      leaves: [...this.#leaves.values()].map(leafOfReport),
      msrs: msrsOfReport({ msrs: this.#msrs }),
      named: has === undefined ? null : { has, unknown: this.#lists.get("Unknown features") ?? [] },
      msrFeatures:
        msrHas === undefined ? null : { has: msrHas, lacks: this.#lists.get("Absent MSR features") ?? [] },
      coreDifferences: this.#differences,
      hypervisor: this.#hypervisor?.name ?? null,
      offered: this.#hypervisor?.offered ?? false,
    };
  }
}

function differenceIn([, cpus, lacks, adds, ...numbers]: RegExpExecArray): Difference {
  const [family = NaN, model = NaN, stepping = NaN] = numbers.map(Number);
  return {
    cpus: words(cpus).map(Number),
    lacks: words(lacks),
    adds: words(adds),
    signature: Number.isNaN(family) ? null : { family, model, stepping },
  };
}

const words = (text = ""): string[] => text.split(" ").filter((word) => word !== "");
