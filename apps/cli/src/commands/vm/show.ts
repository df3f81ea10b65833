/** `godwit vm show` */
import type { VmDetails } from "@godwit/contract";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { formatTable } from "../../output/format.ts";
import { userText } from "../../output/host-view.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, vmArgument, type JsonFlags } from "../common.ts";

export const showCommand = buildCommand({
  docs: { brief: "Show one VM", fullDescription: "Example: godwit vm show web-1" },
  parameters: { flags: { json: jsonFlag }, positional: vmArgument },
  async func(flags: JsonFlags, vm: string) {
    const view = await withApi((api) => api.call("vmShow", { params: { vm } }));
    if (flags.json) writeJson(view);
    else writeLine(vmText(view));
  },
});

function vmText({ name, id, state, seenAt, host, config, user }: VmDetails): string {
  const { cpu } = config;
  const model = [cpu.model, ...cpu.add.map((name) => `+${name}`), ...cpu.remove.map((name) => `-${name}`)];
  return formatTable([
    ["name", name],
    ["id", id],
    ["state", `${state} (as of ${seenAt})`],
    ["host", host],
    ["memory", `${String(config.memoryMib)} MiB`],
    ["vcpus", `${String(config.vcpus)} × ${model.join(",")}`],
    ["evc mode", cpu.evcMode ?? "none"],
    ...(cpu.features === undefined ? [] : [["cpu features", cpu.features.join(" ")]]),
    ["machine", config.machine],
    ...(user == null ? [] : [["qemu user", userText(user)]]),
    ...config.disks.map((disk) => [`disk ${disk.name}`, `${config.datastore}:${disk.path} (${disk.format})`]),
    ...config.nics.map((nic, index) => [
      `nic ${String(index)}`,
      [nic.portGroup, nic.mac, ...(nic.addresses ?? [])].join(" "),
    ]),
  ]);
}
