/** `godwit cpu report`: the CPU identification utility, for this machine, a file, or a host of the server. */
import { homedir } from "node:os";
import { join } from "node:path";
import { GodwitError, type CpuReport, type QemuFacts } from "@godwit/contract";
import { reportOf, reportText } from "@godwit/cpu";
import { readHostCpu } from "@godwit/host-cpu";
import { qemuFacts } from "@godwit/hypervisor";
import { buildCommand } from "@stricli/core";
import { cpuOfFile, cpuOfHost } from "../../cpu-argument.ts";
import { writeJson } from "../../output/screen.ts";
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
  async func({ json, file, host }: { json: boolean; file?: string; host?: string }) {
    if (file !== undefined && host !== undefined) {
      throw GodwitError.of("USAGE", {
        what: "--file and --host were both given.",
        hint: "Give one of them, or neither for this machine.",
      });
    }
    const report =
      file !== undefined
        ? (await cpuOfFile(file)).report
        : host !== undefined
          ? (await cpuOfHost(host)).report
          : reportOf(await readHostCpu({ qemu: askQemu }));
    if (json) writeJson(report);
    else writeText(report);
  },
});

/** A report of the utility prints again as it was; what else is to be said of it goes beside. */
function writeText(report: CpuReport): void {
  process.stdout.write(reportText(report));
  if (report.utilityRun !== undefined)
    for (const note of report.notes) process.stderr.write(`Note: ${note}\n`);
}

/** null: there is no QEMU here, or it does not answer. */
async function askQemu(): Promise<QemuFacts | null> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "godwit");
  try {
    return (await qemuFacts({ binary: "qemu-system-x86_64" }, cache)).facts;
  } catch (error) {
    if (GodwitError.is(error)) return null;
    throw error;
  }
}
