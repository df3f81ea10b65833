/** Errors about what describes a CPU: files, and the machine itself. */
import { define } from "./define.ts";

export const cpuFileErrors = {
  CPU_FILE_UNRECOGNISED: define<{ source: string; found: string }>(
    400,
    "never",
    (d) => `${d.source} is no description of a CPU that Godwit knows: ${d.found}.`,
    () =>
      "Give a report of godwit cpu report (text or --json) or of the VMware utility, a dump of cpuid -1 -r, AIDA64, InstLatx64 or libcpuid, libvirt's capabilities or <cpu> as XML, QEMU's answer to query-cpu-model-expansion, a vmware.log, the output of lscpu, x86info -r or xe host-cpu-info, or a copy of /proc/cpuinfo.",
  ),
  CPU_FILE_BROKEN: define<{ source: string; format: string; line: number | null; problem: string }>(
    400,
    "never",
    (d) =>
      `${d.source} (${d.format}) cannot be read${d.line === null ? "" : ` at line ${String(d.line)}`}: ${d.problem}.`,
    () => "Take the dump again and copy the whole of it, unchanged.",
  ),
  CPU_FILE_WITHOUT_CPU: define<{ source: string; line: number; reason: string }>(
    400,
    "never",
    (d) => `${d.source} describes no CPU: at line ${String(d.line)} ${d.reason}.`,
    () =>
      "Give what virsh capabilities or virsh domcapabilities print on the host, or a report of godwit cpu report.",
  ),
  CPU_FILE_SEVERAL: define<{ source: string; lines: number[]; cpus: string[] }>(
    400,
    "never",
    (d) =>
      `${d.source} describes ${String(d.lines.length)} CPUs, at lines ${d.lines.join(", ")} (${d.cpus.join(", ")}), and one was expected.`,
    () => "Put each <cpu> into a file of its own, and name these files.",
  ),
  CPU_NOT_X86: define<{ source: string; architecture: string }>(
    400,
    "never",
    (d) =>
      `${d.source} describes a CPU of the architecture ${d.architecture}, and Godwit compares only x86 CPUs.`,
    () => "Give the description of an x86 host.",
  ),
  CPU_FILE_TOO_LARGE: define<{ source: string; what: string; most: number }>(
    413,
    "never",
    (d) =>
      `${d.source} is too large for the description of one machine: more than ${String(d.most)} ${d.what}.`,
    () => "Give the dump of one machine only.",
  ),
  CPU_REPORT_MISSING: define<{ host: string; reason: string }>(
    409,
    "after-fix",
    (d) => `What CPU host ${d.host} has is not known: ${d.reason}.`,
    (d) =>
      `Bring its agent up to date, or take the report there (godwit cpu report --json >${d.host}.json) and name that file.`,
  ),
  CPU_UNREADABLE: define<{ machine: string; reasons: string[] }>(
    500,
    "after-fix",
    (d) => `The CPU of ${d.machine} cannot be read: ${d.reasons.join("; ")}.`,
    () =>
      "Run it as root on an x86 machine; modprobe cpuid makes the device /dev/cpu/N/cpuid. A dump that was taken elsewhere is read with --file.",
  ),
} as const;
