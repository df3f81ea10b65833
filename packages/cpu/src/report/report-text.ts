/**
 * A report as text, line by line as VMware's CPU identification utility prints it. A report that was read from
 * the utility's own text prints again as it was. Of a machine there was no numbered test run: the lines of the
 * utility's test frame are left out, and what the source cannot tell follows as notes.
 */
import type { CpuReport } from "@godwit/contract";
import { cpuOf } from "../cpuid/cpu.ts";
import { undecidedModes } from "../evc-modes/undecided-modes.ts";

/** Ends with a line end. */
export function reportText(report: CpuReport): string {
  const { registers, utilityRun } = report;
  const words = [registers.id1ecx, registers.id1edx, registers.id81ecx, registers.id81edx];
  const lines = [
    ...(utilityRun === undefined ? [] : [`Random_Init: Using random seed: ${utilityRun.seed}`]),
    `Reporting CPUID for ${report.logicalCpus === null ? "Unknown" : String(report.logicalCpus)} logical CPU...`,
    "",
    `Family: ${hex(report.family, 2)} Model: ${hex(report.model, 2)} Stepping: ${hex(report.stepping, 1)}`,
    "",
    "ID1ECX    ID1EDX    ID81ECX    ID81EDX",
    words.map((word) => word ?? "Unknown").join(" "),
    "",
    `Vendor           : ${vendorText(report.vendor)}`,
    `Brand String      : ${report.brand === "" ? "Unknown" : `"${report.brand}"`}`,
    `SSE Support       : ${sseText(report)}`,
    `Supports NX / XD  : ${answer(report.nx)}`,
    `Supports CMPXCHG16B : ${answer(report.cmpxchg16b)}`,
    `Supports RDTSCP   : ${answer(report.rdtscp)}`,
    `Hyperthreading    : ${answer(report.hyperthreading)}`,
    `Supports Flex Migration : ${answer(report.flexMigration)}`,
    `Supports 64-bit Longmode : ${answer(report.longMode)}`,
    `Supports 64-bit VMware : ${answer(report.vmware64)}`,
    `Supported EVC modes : ${evcText(report)}`,
    "",
    ...(utilityRun === undefined
      ? [`Source: ${report.source}`, ...report.notes.map((note) => `Note: ${note}`)]
      : [`PASS: Test ${String(utilityRun.test)}: CPUID`, "Press any key to reboot."]),
  ];
  return `${lines.join("\n")}\n`;
}

const answer = (value: boolean | null): string => (value === null ? "Unknown" : value ? "Yes" : "No");

const hex = (value: number | null, digits: number): string =>
  value === null ? "Unknown" : value.toString(16).padStart(digits, "0");

/** As the utility spells those that it knows. */
const vendorText = (vendor: string): string =>
  ({ GenuineIntel: "Intel", AuthenticAMD: "AMD", HygonGenuine: "Hygon", unknown: "Unknown" })[vendor] ??
  vendor;

function evcText(report: CpuReport): string {
  if (report.evcModes.length > 0) return report.evcModes.join(", ");
  return undecidedModes(cpuOf(report)).length === 0 ? "None" : "Unknown";
}

function sseText({ sse, unknownFeatures }: CpuReport): string {
  if (sse.length > 0) return sse.join(", ");
  return unknownFeatures.includes("sse") ? "Unknown" : "None";
}
