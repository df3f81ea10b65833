/** Errors about files that describe a CPU. */
import { define } from "./define.ts";

export const cpuFileErrors = {
  CPU_FILE_UNRECOGNISED: define<{ source: string; found: string }>(
    400,
    "never",
    (d) => `${d.source} is no description of a CPU that Godwit knows: ${d.found}.`,
    () =>
      "Give a report of godwit cpu report (text or --json) or of the VMware utility, a dump of cpuid -1 -r, AIDA64, InstLatx64 or libcpuid, libvirt's capabilities or <cpu> as XML, or a copy of /proc/cpuinfo.",
  ),
  CPU_FILE_BROKEN: define<{ source: string; format: string; line: number | null; problem: string }>(
    400,
    "never",
    (d) =>
      `${d.source} (${d.format}) cannot be read${d.line === null ? "" : ` at line ${String(d.line)}`}: ${d.problem}.`,
    () => "Take the dump again and copy the whole of it, unchanged.",
  ),
  CPU_FILE_TOO_LARGE: define<{ source: string; what: string; most: number }>(
    413,
    "never",
    (d) =>
      `${d.source} is too large for the description of one machine: more than ${String(d.most)} ${d.what}.`,
    () => "Give the dump of one machine only.",
  ),
} as const;
