/** `godwit vm show` */
import type { Cdrom, PauseReason, VmDetails } from "@godwit/contract";
import { GodwitError } from "@godwit/contract/errors";
import { isStateUnknown } from "@godwit/contract/vm-state";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { formatTable, vmStateText } from "../../output/format.ts";
import { userText } from "../../output/host-view.ts";
import { usageOverText, usageText } from "../../output/usage-view.ts";
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

function vmText(vm: VmDetails): string {
  const { name, id, state, pauseReason, host, config, user } = vm;
  const { cpu } = config;
  const model = [cpu.model, ...cpu.add.map((name) => `+${name}`), ...cpu.remove.map((name) => `-${name}`)];
  return formatTable([
    ["name", name],
    ["id", id],
    ["state", stateText(vm)],
    ...(state === "paused" ? [["why", whyPaused(name, host, pauseReason)]] : []),
    ["host", isStateUnknown(vm) ? `${host} (unreachable)` : host],
    ["memory", `${String(config.memoryMib)} MiB`],
    ["vcpus", `${String(config.vcpus)} × ${model.join(",")}`],
    ...(config.cpuAffinity === undefined
      ? []
      : [["cpu affinity", `CPUs ${config.cpuAffinity.join(", ")} of its host`]]),
    ["evc mode", cpu.evcMode ?? "none"],
    ...(cpu.features === undefined ? [] : [["cpu features", cpu.features.join(" ")]]),
    ["machine", config.machine],
    ...(config.firmware === undefined
      ? []
      : [["firmware", config.firmware.secureBoot ? "UEFI with Secure Boot" : "UEFI"] as [string, string]]),
    ...(config.tpm === true ? [["tpm", "2.0"]] : []),
    ...(user == null ? [] : [["qemu user", userText(user)]]),
    ...(vm.usage == null || isStateUnknown(vm) ? [] : [["load", usageText(vm.usage)]]),
    ...(vm.lastHour == null ? [] : [["last hour", usageOverText(vm.lastHour)]]),
    ...config.disks.map((disk) => [
      `disk ${disk.name}`,
      `${disk.datastore ?? config.datastore}:${disk.path} (${disk.format}${disk.bus === undefined ? "" : `, on ${disk.bus}`})`,
    ]),
    ...(config.cdroms ?? []).map((drive) => [`cdrom ${drive.name}`, driveText(drive)]),
    ...config.nics.map((nic, index) => [
      `nic ${String(index)}`,
      [
        nic.portGroup,
        nic.mac,
        ...(nic.model === undefined ? [] : [nic.model]),
        ...(nic.addresses ?? []),
      ].join(" "),
    ]),
  ]);
}

function stateText(vm: VmDetails): string {
  const seen = vmStateText(vm.state, vm.pauseReason);
  return isStateUnknown(vm) ? `unknown (${seen} at ${vm.seenAt})` : `${seen} (as of ${vm.seenAt})`;
}

const driveText = ({ medium, connected }: Cdrom): string =>
  medium === null ? "empty" : `${medium.datastore}:${medium.path}${connected ? "" : " (not connected)"}`;

/** In the words of the refusal to start it. */
function whyPaused(vm: string, host: string, reason: PauseReason | null): string {
  const { message, remedy } = GodwitError.of("VM_PAUSED", { vm, host, reason });
  return `${message} ${remedy}`;
}
