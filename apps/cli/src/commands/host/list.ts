/** `godwit host list` */
import type { HostView } from "@godwit/contract";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { allHosts, hostSummaries } from "../../inventory.ts";
import { formatBytes, formatTable } from "../../output/format.ts";
import { hostStateText } from "../../output/host-view.ts";
import { usedText } from "../../output/usage-view.ts";
import { findingLines } from "../../output/problem.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, type JsonFlags } from "../common.ts";

export const listCommand = buildCommand({
  docs: { brief: "List hosts", fullDescription: "Example: godwit host list --json" },
  parameters: {
    flags: {
      json: jsonFlag,
      full: {
        kind: "boolean",
        brief: "With --json: also each host's CPU registers and what its QEMU can do",
        default: false,
      },
    },
  },
  async func(flags: JsonFlags & { full: boolean }) {
    if (flags.json) {
      const hosts = await withApi(allHosts);
      writeJson(flags.full ? hosts : hosts.map(withoutTables));
      return;
    }
    const hosts = await withApi(hostSummaries);
    writeLine(
      formatTable([
        ["NAME", "STATE", "AGENT", "QEMU", "ACCELERATOR", "CPUS", "CPUS USED", "MEMORY FREE", "VMS", "POOL"],
        ...hosts.map((host) => [
          host.name,
          `${hostStateText(host.state, host.maintenance)}${host.alarms.length === 0 ? "" : ", alarm"}`,
          host.agentVersion ?? "",
          host.qemuVersion ?? "",
          host.accelerator ?? "",
          String(host.logicalCpus ?? ""),
          usedText(host.usedCpus, ""),
          host.availableBytes === null ? "" : formatBytes(host.availableBytes),
          String(host.runningVms ?? ""),
          host.pool ?? "",
        ]),
      ]),
    );
    for (const { name, alarms } of hosts) {
      if (alarms.length > 0) writeLine(`\nAlarm on ${name}:`);
      for (const line of findingLines(alarms)) writeLine(line);
    }
  },
});

/** A host without its tables of CPU registers and QEMU's models, which are nine tenths of the document. */
const withoutTables = ({ facts, ...host }: HostView): object => {
  if (facts === null) return { ...host, facts };
  const { report: _report, ...cpu } = facts.cpu;
  const { machines: _machines, cpuModels: _models, availableFeatures: _features, ...qemu } = facts.qemu;
  return { ...host, facts: { ...facts, cpu, qemu } };
};
