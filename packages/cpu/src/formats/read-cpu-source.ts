/**
 * Reads any of the descriptions of a CPU. Which one it is follows from its content, never from a file's name.
 * Whatever the bytes are, the answer is a source or an error of the catalogue, and comes soon.
 */
import { GodwitError } from "@godwit/contract";
import { isAida64Line, readAida64 } from "./aida64.ts";
import { linesOf, quoted } from "./broken.ts";
import type { CpuSource } from "./cpu-source.ts";
import { isCpuidRawLine, readCpuidRaw } from "./cpuid-raw.ts";
import type { Dumped } from "./dump.ts";
import { readGodwitJson } from "./godwit-json.ts";
import { isLibcpuidDivider, isLibcpuidLine, readLibcpuid } from "./libcpuid.ts";
import { readLibvirtXml } from "./libvirt-xml.ts";
import { isLscpuJson, isLscpuLine, readLscpu, readLscpuJson } from "./lscpu.ts";
import { isProcCpuinfoLine, readProcCpuinfo } from "./proc-cpuinfo.ts";
import { isQemuExpansion, readQemuExpansion } from "./qemu-expansion.ts";
import { isVmwareLogLine, readVmwareLog } from "./vmware-log.ts";
import { isVmwareReportLine, readVmwareReport } from "./vmware-report.ts";
import { isX86infoLine, readX86info } from "./x86info.ts";
import { isXeLine, readXeHostCpuInfo } from "./xe-host-cpu-info.ts";

/** A dump of the largest machines, of all their logical CPUs, has about a fifth of this. */
const mostCharacters = 32 * 1024 * 1024;

/**
 * @param text the file's content
 * @param label what people call it; in errors and in the report
 * @throws CPU_FILE_UNRECOGNISED, CPU_FILE_BROKEN, CPU_FILE_SEVERAL, CPU_FILE_WITHOUT_CPU, CPU_FILE_TOO_LARGE, CPU_NOT_X86
 */
export function readCpuSource(text: string, label: string): CpuSource {
  if (text.length > mostCharacters)
    throw GodwitError.of("CPU_FILE_TOO_LARGE", { source: label, what: "characters", most: mostCharacters });
  const content = text.replace(/^\ufeff/, "");
  const start = /^\s*(\S)/.exec(content)?.[1];
  if (isLscpuJson(content)) return readLscpuJson(content, { label, format: "lscpu" });
  if (isQemuExpansion(content))
    return readQemuExpansion(content, { label, format: "QEMU's CPU model expansion" });
  if (start === "{") return readGodwitJson(content, { label, format: "JSON" });
  if (start === "<") return readLibvirtXml(content, { label, format: "libvirt XML" });
  const lines = linesOf(content);
  if (lines.some(isCpuidRawLine)) return dumped("cpuid-raw", lines, label);
  if (lines.some(isLibcpuidLine)) return dumped("libcpuid", lines, label);
  if (lines.some(isAida64Line))
    return dumped(lines.some(isLibcpuidDivider) ? "libcpuid" : "aida64", lines, label);
  if (lines.some(isVmwareLogLine)) return dumped("vmware-log", lines, label);
  if (lines.some(isX86infoLine)) return dumped("x86info", lines, label);
  if (lines.some(isXeLine)) return readXeHostCpuInfo(lines, { label, format: "xe host-cpu-info" });
  if (lines.some(isLscpuLine)) return readLscpu(lines, { label, format: "lscpu" });
  if (lines.some(isVmwareReportLine))
    return readVmwareReport(lines, { label, format: "CPU identification report" });
  if (lines.some(isProcCpuinfoLine)) return readProcCpuinfo(lines, { label, format: "/proc/cpuinfo" });
  const begins = lines.find((line) => line.trim() !== "");
  throw GodwitError.of("CPU_FILE_UNRECOGNISED", {
    source: label,
    found: begins === undefined ? "it is empty" : `it begins with ${quoted(begins)}`,
  });
}

const dumps = {
  "cpuid-raw": { format: "raw dump of cpuid", read: readCpuidRaw },
  libcpuid: { format: "libcpuid dump", read: readLibcpuid },
  "vmware-log": { format: "vmware.log", read: readVmwareLog },
  x86info: { format: "raw dump of x86info", read: readX86info },
  aida64: { format: "AIDA64 dump", read: readAida64 },
} as const;

function dumped(kind: keyof typeof dumps, lines: readonly string[], label: string): CpuSource {
  const { format, read } = dumps[kind];
  const { cpus, notes }: Dumped = read(lines, { label, format });
  return { format: kind, label, cpus, named: null, notes };
}
