/** `godwit host list` */
import type { HostView } from "@godwit/contract";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { formatBytes, formatTable } from "../../output/format.ts";
import { hostStateText, usedText } from "../../output/host-view.ts";
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
    const { hosts } = await withApi((api) => api.call("hostList", {}));
    if (flags.json) {
      writeJson(flags.full ? hosts : hosts.map(withoutTables));
      return;
    }
    writeLine(
      formatTable([
        ["NAME", "STATE", "AGENT", "QEMU", "ACCELERATOR", "CPUS", "CPUS USED", "MEMORY FREE", "VMS", "POOL"],
        ...hosts.map(({ name, state, maintenance, pool, alarms, facts, load }) => [
          name,
          `${hostStateText(state, maintenance)}${alarms.length === 0 ? "" : ", alarm"}`,
          facts?.agentVersion ?? "",
          facts?.qemu.version ?? "",
          facts?.qemu.accelerator ?? "",
          String(facts?.cpu.logicalCpus ?? ""),
          usedText(load?.cpu?.usedCpus ?? null, ""),
          load?.memory == null ? "" : formatBytes(load.memory.availableBytes),
          String(load?.vms.filter((vm) => vm.pid !== null).length ?? ""),
          pool ?? "",
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
