/** A report as text that loses nothing: the lines of VMware's utility, then all else that it holds. */
import type { CpuReport } from "@godwit/contract";
import { cpuOf, msrsOfReport } from "../cpuid/cpu.ts";
import { msrFeatures } from "../features/msr-features.ts";
import { detailLines } from "../formats/report-details.ts";
import { msrFeaturesOf } from "./msr-features-of.ts";
import { x86LevelOf } from "./x86-levels.ts";
import { followsFromRegisters } from "./report.ts";
import { reportText } from "./report-text.ts";

/** A report that was read from the utility's own text holds no more than that, and prints again as it was. */
export function fullReportText(report: CpuReport): string {
  const text = reportText(report);
  if (report.utilityRun !== undefined) return text;
  const level = x86LevelOf(cpuOf(report));
  const byValue = msrFeaturesOf(msrsOfReport(report)) ?? undefined;
  const byName = {
    features: !followsFromRegisters(report),
    msrFeatures: JSON.stringify(report.msrFeatures) !== JSON.stringify(byValue),
  };
  const details = [
    ...(level === null ? [] : [`Level of the x86-64 psABI : ${level}`]),
    ...archCapabilitiesLine(report),
    ...detailLines(report, byName),
  ];
  return details.length === 0 ? text : `${text}\n${details.join("\n")}\n`;
}

/** In the order of the bits. */
function archCapabilitiesLine({ msrFeatures: { has, lacks } = { has: [], lacks: [] } }: CpuReport): string[] {
  const names = msrFeatures.filter(({ parent }) => parent === "arch-capabilities").map(({ name }) => name);
  const there = names.filter((name) => has.includes(name));
  const open = names.filter((name) => !has.includes(name) && !lacks.includes(name));
  if (open.length === names.length) return [];
  const rest = open.length === 0 ? "" : `; not known: ${open.join(", ")}`;
  return [`ARCH_CAPABILITIES : ${there.length === 0 ? "none" : there.join(", ")}${rest}`];
}
