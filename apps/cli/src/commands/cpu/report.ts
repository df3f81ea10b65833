/** `godwit cpu report` */
import { buildCommand } from "@stricli/core";
import { jsonFlag } from "../common.ts";

export const reportCommand = buildCommand({
  docs: {
    brief: "Report what a CPU is and has, as VMware's identification utility does",
    fullDescription: `Without --file and --host: of this machine, all of its logical CPUs, from /dev/cpu/N/cpuid and
/dev/cpu/N/msr (as root), else from QEMU, else from /proc/cpuinfo; the report says which, and what it cannot know.

A file may be a report of this program (text or JSON) or of VMware's utility, a dump of cpuid -1 -r, AIDA64,
InstLatx64 or libcpuid, what virsh capabilities, virsh domcapabilities or virsh hypervisor-cpu-baseline print, or
a copy of /proc/cpuinfo. Its content tells which; - is standard input.

The text has the lines of the utility's report. What is not known is Unknown in it, and why is said in notes
after it; --json has all leaves and features.

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
