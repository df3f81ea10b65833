/** `godwit cpu report` */
import { buildCommand } from "@stricli/core";
import { jsonFlag } from "../common.ts";

export const reportCommand = buildCommand({
  docs: {
    brief: "Report a CPU and its features, as VMware's CPU identification utility does",
    fullDescription: `Without --file and --host: all logical CPUs of this machine, read from /dev/cpu/N/cpuid and /dev/cpu/N/msr (as
root), otherwise from QEMU, otherwise from /proc/cpuinfo; the report says which, and what that source lacks.

A file may be a report of this program (text or JSON) or of VMware's utility, a dump of cpuid -1 -r, AIDA64,
InstLatx64 or libcpuid, what virsh capabilities, virsh domcapabilities or virsh hypervisor-cpu-baseline print, or
a copy of /proc/cpuinfo. The format is detected; - is standard input.

The text has the same lines as the utility's report. Unknown values are shown as Unknown, with the reason in notes
at the end; --json has all leaves and features.

Examples:
  godwit cpu report
  godwit cpu report --file old-server.txt
  ssh old-server cpuid -1 -r | godwit cpu report --file - --json
  godwit cpu report --host a`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      file: { kind: "parsed", parse: String, brief: "A file that describes a CPU", optional: true },
      host: { kind: "parsed", parse: String, brief: "A host of the server", optional: true },
    },
  },
  loader: async () => (await import("../../cpu/report.ts")).report,
});
