/** A host as lines for people. Pure. */
import type { HostFacts, HostLoad, HostView } from "@godwit/contract";
import { formatBytes, formatTable } from "./format.ts";

export const hostStateText = (state: HostView["state"], maintenance: HostView["maintenance"]): string =>
  state + { off: "", entering: ", entering maintenance", on: ", in maintenance" }[maintenance];

export function hostText(view: HostView): string {
  const { name, state, maintenance, agentUrl, seenAt, unreachableReason, pool, alarms, facts, load } = view;
  return formatTable([
    ["name", name],
    [
      "state",
      `${hostStateText(state, maintenance)}${unreachableReason === null ? "" : `: ${unreachableReason}`}`,
    ],
    [
      "agent",
      `${facts === null ? "" : `${facts.agentVersion} at `}${agentUrl}${seenAt === null ? "" : ` (last answered ${seenAt})`}`,
    ],
    ["pool", pool ?? "none"],
    ...alarms.map(({ message, remedy }) => ["alarm", `${message} ${remedy}`]),
    ...(facts === null ? [] : factRows(facts, load)),
    ...(load === null ? [] : loadRows(load)),
    ...[...(facts?.failures ?? []), ...(load?.failures ?? [])].map(({ part, reason }) => [
      "not read",
      `${part}: ${reason}`,
    ]),
  ]);
}

/** What the host is, with what is used and free of it. */
function factRows(facts: HostFacts, load: HostLoad | null): string[][] {
  const { cpu, memory, qemu, migration } = facts;
  const free = load?.memory == null ? "unknown" : formatBytes(load.memory.availableBytes);
  return [
    ["cpu", `${cpu.model}, ${String(cpu.logicalCpus)} logical`],
    ["evc modes", cpu.report === null ? "unknown" : cpu.report.evcModes.join(" ") || "none"],
    ["memory", `${free} free of ${formatBytes(memory.totalBytes)}`],
    ["qemu", `${qemu.version}, ${qemu.accelerator}: ${qemu.acceleratorReason}`],
    [
      "migration",
      migration === null
        ? "no address"
        : `${migration.address} on ${migration.link.name}, ${speedText(migration.link.bitsPerSecond)}`,
    ],
    ...facts.datastores.map(({ name, path, shared }) => {
      const now = load?.datastores.find((one) => one.name === name);
      const space =
        now?.space == null
          ? `unavailable: ${now?.reason ?? "unknown"}`
          : `${formatBytes(now.space.freeBytes)} free`;
      return ["datastore", `${name} (${path}), ${space}, ${shared ? "shared" : "host-local"}`];
    }),
    ...facts.portGroups.map(({ name, bridge, uplink }) => {
      const up = load?.portGroups?.find((one) => one.name === name)?.uplinkUp;
      const carrier =
        uplink === null || up === true ? "" : up === false ? ", no carrier" : ", carrier unknown";
      return ["port group", `${name} (${bridge}), uplink ${uplink ?? "none"}${carrier}`];
    }),
  ];
}

/** What the host does now. */
function loadRows({ cpu, links, vms }: HostLoad): string[][] {
  return [
    [
      "load",
      cpu === null
        ? "unknown"
        : `${usedText(cpu.usedCpus, "unknown")} CPUs used, ${cpu.loadAverage.map((figure) => figure.toFixed(2)).join(" ")} tasks`,
    ],
    ...(links ?? []).map(({ name, up, receivedBytesPerSecond, sentBytesPerSecond }) => [
      "link",
      `${name} ${up ? `up, ${rateText(receivedBytesPerSecond)} in, ${rateText(sentBytesPerSecond)} out` : "down"}`,
    ]),
    ...vms.map(({ name, state, usedCpus, residentBytes }) => [
      "vm",
      residentBytes === null
        ? `${name} ${state}`
        : `${name} ${state}, ${usedText(usedCpus, "unknown")} CPUs, ${formatBytes(residentBytes)} in RAM`,
    ]),
  ];
}

/** CPUs in use, like `2.5`. */
export const usedText = (usedCpus: number | null, unknown: string): string => usedCpus?.toFixed(1) ?? unknown;

const rateText = (bytesPerSecond: number | null): string =>
  bytesPerSecond === null ? "unknown" : `${((bytesPerSecond * 8) / 1e6).toFixed(1)} Mbit/s`;

const speedText = (bitsPerSecond: number | null): string =>
  bitsPerSecond === null ? "speed unknown" : `${String(Math.round(bitsPerSecond / 1e6))} Mbit/s`;
