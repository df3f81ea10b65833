/** `godwit cpu report`: the CPU identification utility, for this machine, a file, or a host of the server. */
import { GodwitError, type CpuReport, type QemuFacts } from "@godwit/contract";
import { fullReportText, reportOf } from "@godwit/cpu";
import { readHostCpu } from "@godwit/host-cpu";
import { qemuFacts } from "@godwit/hypervisor";
import { cacheFolder } from "@godwit/system";
import { cpuOfFile, cpuOfHost } from "./argument.ts";
import { writeJson, writeNote } from "../output/screen.ts";
import { printable } from "../output/printable.ts";

export async function report(
  { json, file: flagged, host }: { json: boolean; file?: string; host?: string },
  named?: string,
): Promise<void> {
  if (flagged !== undefined && named !== undefined) {
    throw GodwitError.of("USAGE", {
      what: `Two files were given: ${flagged} and ${named}.`,
      hint: "Give one of them.",
    });
  }
  const file = flagged ?? named;
  if (file !== undefined && host !== undefined) {
    throw GodwitError.of("USAGE", {
      what: "A file and --host were both given.",
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
}

/** A report of the utility prints again as it was; what else is to be said of it goes beside. */
function writeText(report: CpuReport): void {
  process.stdout.write(printable(fullReportText(report)));
  if (report.utilityRun !== undefined) for (const note of report.notes) writeNote(`Note: ${note}`);
}

/** null: there is no QEMU here, or it does not answer. */
async function askQemu(): Promise<QemuFacts | null> {
  try {
    return (await qemuFacts({ binary: "qemu-system-x86_64" }, cacheFolder())).facts;
  } catch (error) {
    if (GodwitError.is(error)) return null;
    throw error;
  }
}
