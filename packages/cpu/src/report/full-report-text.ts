/** A report as text that loses nothing: the lines of VMware's utility, then all else that it holds. */
import type { CpuReport } from "@godwit/contract";
import { cpuOf, msrsOfReport } from "../cpuid/cpu.ts";
import { detailLines } from "../formats/report-details.ts";
import { archCapabilitiesOf } from "./arch-capabilities.ts";
import { x86LevelOf } from "./x86-levels.ts";
import { followsFromRegisters } from "./report.ts";
import { reportText } from "./report-text.ts";

/** A report that was read from the utility's own text holds no more than that, and prints again as it was. */
export function fullReportText(report: CpuReport): string {
  const text = reportText(report);
  if (report.utilityRun !== undefined) return text;
  const level = x86LevelOf(cpuOf(report));
  const arch = archCapabilitiesOf(msrsOfReport(report));
  const details = [
    ...(level === null ? [] : [`Level of the x86-64 psABI : ${level}`]),
    ...(arch === null ? [] : [`ARCH_CAPABILITIES : ${arch.length === 0 ? "none" : arch.join(", ")}`]),
    ...detailLines(report, !followsFromRegisters(report)),
  ];
  return details.length === 0 ? text : `${text}\n${details.join("\n")}\n`;
}
