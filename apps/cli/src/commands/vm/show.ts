/** `godwit vm show` */
import type { Cdrom, PauseReason, VmDetails } from "@godwit/contract";
import { topologyText } from "@godwit/contract/cpu-topology";
import { GodwitError } from "@godwit/contract/errors";
import { hasProcess, isStateUnknown } from "@godwit/contract/vm-state";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { memoryText, memoryTargetText } from "../../output/balloon-view.ts";
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
  const target = memoryTargetText(config, isStateUnknown(vm) ? null : (vm.usage?.guestMemoryBytes ?? null));
  const model = [cpu.model, ...cpu.add.map((name) => `+${name}`), ...cpu.remove.map((name) => `-${name}`)];
  return formatTable([
    ["name", name],
    ["id", id],
    ["state", stateText(vm)],
    ...(state === "paused" ? [["why", whyPaused(name, host, pauseReason)]] : []),
    ...(config.suspension === undefined
      ? []
      : [["suspended", `to disk, at ${config.suspension.suspendedAt}`]]),
    ...(config.tags === undefined ? [] : [["tags", config.tags.join(", ")]]),
    ...(config.notes ?? "")
      .split("\n")
      .flatMap((line, index) => (config.notes === undefined ? [] : [[index === 0 ? "notes" : "", line]])),
    ["host", isStateUnknown(vm) ? `${host} (unreachable)` : host],
    ["memory", memoryText(config, hasProcess(vm))],
    ...(target === null ? [] : [["memory target", target]]),
    ...(config.numa ?? []).map(({ vcpus, memoryMib, hostNode }, node) => [
      `numa node ${String(node)}`,
      `${String(vcpus)} vCPUs, ${String(memoryMib)} MiB${hostNode === undefined ? "" : `, bound to node ${String(hostNode)} of its host`}`,
    ]),
    ["vcpus", `${String(config.vcpus)} × ${model.join(",")}`],
    ...(config.topology === undefined ? [] : [["topology", topologyText(config.topology)]]),
    ...(config.cpuAffinity === undefined
      ? []
      : [["cpu affinity", `CPUs ${config.cpuAffinity.join(", ")} of its host`]]),
    ...(vm.cpuLimit == null ? [] : [["cpu limit", limitText(vm.cpuLimit, host)]]),
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
    ...(config.bootOrder === undefined ? [] : [["boot order", config.bootOrder.join(", ")]]),
    ...config.disks.map((disk) => [
      `disk ${disk.name}`,
      `${disk.datastore ?? config.datastore}:${disk.path} (${disk.format}${disk.bus === undefined ? "" : `, on ${disk.bus}`}${disk.base === undefined ? "" : `, linked to ${disk.base.path} (${disk.base.format})`})`,
    ]),
    ...(config.hostDevices ?? []).map((device) => [
      `host device ${device.name}`,
      "pci" in device ? `PCI ${device.pci} (${device.id})` : `USB ${device.usb}`,
    ]),
    ...(config.cdroms ?? []).map((drive) => [`cdrom ${drive.name}`, driveText(drive)]),
    ...config.nics.map((nic, index) => [
      `nic ${String(nic.number ?? index)}`,
      [
        nic.portGroup,
        nic.mac,
        ...(nic.model === undefined ? [] : [nic.model]),
        ...(nic.addresses ?? []),
        ...(nic.connected === false ? ["(not connected)"] : []),
      ].join(" "),
    ]),
  ]);
}

function stateText(vm: VmDetails): string {
  const seen = vmStateText(vm.state, vm.pauseReason, vm.config.suspension !== undefined);
  return isStateUnknown(vm) ? `unknown (${seen} at ${vm.seenAt})` : `${seen} (as of ${vm.seenAt})`;
}

const limitText = ({ cpus, problem }: NonNullable<VmDetails["cpuLimit"]>, host: string): string =>
  `${String(Number(cpus.toFixed(2)))} CPUs${problem === null ? "" : `, not enforced on ${host}: ${problem}`}`;

const driveText = ({ medium, connected }: Cdrom): string =>
  medium === null ? "empty" : `${medium.datastore}:${medium.path}${connected ? "" : " (not connected)"}`;

/** In the words of the refusal to start it. */
function whyPaused(vm: string, host: string, reason: PauseReason | null): string {
  const { message, remedy } = GodwitError.of("VM_PAUSED", { vm, host, reason });
  return `${message} ${remedy}`;
}
