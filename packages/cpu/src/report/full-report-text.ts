/** A report as text that loses nothing: the lines of VMware's utility, then all else that it holds. */
import type { CpuReport } from "@godwit/contract";
import { detailLines } from "../formats/report-details.ts";
import { followsFromRegisters } from "./report.ts";
import { reportText } from "./report-text.ts";

/** A report that was read from the utility's own text holds no more than that, and prints again as it was. */
export function fullReportText(report: CpuReport): string {
  const text = reportText(report);
  if (report.utilityRun !== undefined) return text;
  const details = detailLines(report, !followsFromRegisters(report));
  return details.length === 0 ? text : `${text}\n${details.join("\n")}\n`;
}
