/** A host as lines for people. Pure. */
import type { HostView } from "@godwit/contract";
import { formatBytes, formatTable } from "./format.ts";

export const hostStateText = (state: HostView["state"], maintenance: HostView["maintenance"]): string =>
  state + { off: "", entering: ", entering maintenance", on: ", in maintenance" }[maintenance];

export function hostText({
  name,
  state,
  maintenance,
  agentUrl,
  seenAt,
  unreachableReason,
  pool,
  alarms,
  facts,
}: HostView): string {
  const rows = [
    ["name", name],
    [
      "state",
      `${hostStateText(state, maintenance)}${unreachableReason === null ? "" : `: ${unreachableReason}`}`,
    ],
    ["agent", `${agentUrl}${seenAt === null ? "" : ` (last seen ${seenAt})`}`],
    ["pool", pool ?? "none"],
    ...alarms.map(({ message, remedy }) => ["alarm", `${message} ${remedy}`]),
  ];
  if (facts === null) return formatTable(rows);
  const { cpu, memory, qemu, migration } = facts;
  return formatTable([
    ...rows,
    ["cpu", `${cpu.model}, ${String(cpu.logicalCpus)} logical`],
    ["evc modes", cpu.report === null ? "unknown" : cpu.report.evcModes.join(" ") || "none"],
    ["memory", `${formatBytes(memory.availableBytes)} free of ${formatBytes(memory.totalBytes)}`],
    ["qemu", `${qemu.version}, ${qemu.accelerator}: ${qemu.acceleratorReason}`],
    [
      "migration",
      migration === null
        ? "no address"
        : `${migration.address} on ${migration.link.name}, ${speedText(migration.link.bitsPerSecond)}`,
    ],
    ...facts.datastores.map((one) => [
      "datastore",
      `${one.name} (${one.path}), ${formatBytes(one.freeBytes)} free, ${one.shared ? "shared" : "host-local"}`,
    ]),
    ...facts.portGroups.map((one) => [
      "port group",
      `${one.name} (${one.bridge}), uplink ${one.uplink ?? "none"}${one.uplink !== null && !one.uplinkUp ? ", no carrier" : ""}`,
    ]),
    ...facts.vms.map((vm) => ["vm", `${vm.name} ${vm.state}`]),
  ]);
}

const speedText = (bitsPerSecond: number | null): string =>
  bitsPerSecond === null ? "speed unknown" : `${String(Math.round(bitsPerSecond / 1e6))} Mbit/s`;
