/** `godwit cpu report` */
import { buildCommand } from "@stricli/core";
import { jsonFlag } from "../common.ts";

export const reportCommand = buildCommand({
  docs: {
    brief: "Report a CPU and its features, as VMware's CPU identification utility does",
    fullDescription: `Without --file and --host: all logical CPUs of this machine, read from /dev/cpu/N/cpuid and /dev/cpu/N/msr (as
root), otherwise from QEMU, otherwise from /proc/cpuinfo; the report says which, and what that source lacks.

A file may be a report of this program (text or JSON) or of VMware's utility, a dump of cpuid -1 -r, AIDA64,
InstLatx64 or libcpuid, what virsh capabilities, virsh domcapabilities or virsh hypervisor-cpu-baseline print, a
vmware.log, QEMU's answer to query-cpu-model-expansion, the output of lscpu, x86info -r or xe host-cpu-info, or a copy of /proc/cpuinfo. The format is detected; -
is standard input.

The text begins with the lines of the utility's report. Unknown values are shown as Unknown, with the reason in notes;
all leaves follow, so that the text is read back without loss. --json has all features by name.

Examples:
  godwit cpu report
  godwit cpu report old-server.txt
  ssh old-server cpuid -1 -r | godwit cpu report --file - --json
  godwit cpu report --host a`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      file: { kind: "parsed", parse: String, brief: "A file that describes a CPU", optional: true },
      host: { kind: "parsed", parse: String, brief: "A host of the server", optional: true },
    },
    positional: {
      kind: "tuple",
      parameters: [
        {
          brief: "A file that describes a CPU, like --file",
          placeholder: "file",
          parse: String,
          optional: true,
        },
      ],
    },
  },
  loader: async () => (await import("../../cpu/report.ts")).report,
});
