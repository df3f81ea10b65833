/** `godwit host list` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { formatBytes, formatTable } from "../../output/format.ts";
import { hostStateText, usedText } from "../../output/host-view.ts";
import { findingLines } from "../../output/problem.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, type JsonFlags } from "../common.ts";

export const listCommand = buildCommand({
  docs: { brief: "List hosts", fullDescription: "Example: godwit host list --json" },
  parameters: { flags: { json: jsonFlag } },
  async func(flags: JsonFlags) {
    const { hosts } = await withApi((api) => api.call("hostList", {}));
    if (flags.json) {
      writeJson(hosts);
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
