/** A host as lines for people. Pure. */
import type {
  BondLoad,
  HostFacts,
  HostLoad,
  HostPower,
  HostView,
  PortGroupLoad,
  PortGroupState,
  VmUser,
} from "@godwit/contract";
import { formatBytes, formatTable } from "./format.ts";
import { rateText, usageText, usedText } from "./usage-view.ts";

export const hostStateText = (state: HostView["state"], maintenance: HostView["maintenance"]): string =>
  state + { off: "", entering: ", entering maintenance", on: ", in maintenance" }[maintenance];

export function hostText(view: HostView): string {
  const { name, state, maintenance, agentUrl, seenAt, unreachableReason, pool, alarms, facts, load } = view;
  const ceiling = view.moveBandwidthMbps ?? null;
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
    ...(view.power == null ? [] : [["power", `by ${view.power.kind}${wokeText(view.power)}`]]),
    ...(ceiling === null ? [] : [["moves", `use at most ${String(ceiling)} Mbit/s of its link together`]]),
    ...alarms.map(({ message, remedy }) => ["alarm", `${message} ${remedy}`]),
    ...(facts === null ? [] : factRows(facts, load)),
    ...(load === null ? [] : loadRows(load)),
    ...healthRows(load),
    ...[...(facts?.failures ?? []), ...(load?.failures ?? [])].map(({ part, reason }) => [
      "not read",
      `${part}: ${reason}`,
    ]),
  ]);
}

const wokeText = ({ wokeAt }: HostPower): string =>
  wokeAt === null ? ", not known to wake" : `, woke last at ${wokeAt}`;

/** What the host is, with what is used and free of it. */
function factRows(facts: HostFacts, load: HostLoad | null): string[][] {
  const { cpu, memory, qemu } = facts;
  const free = load?.memory == null ? "unknown" : formatBytes(load.memory.availableBytes);
  return [
    ["cpu", `${cpu.model}, ${String(cpu.logicalCpus)} logical`],
    ["evc modes", cpu.report === null ? "unknown" : cpu.report.evcModes.join(" ") || "none"],
    ["memory", `${free} free of ${formatBytes(memory.totalBytes)}`],
    ...(memory.hugepages ?? []).flatMap(({ size, pages }) => {
      const now = load?.memory?.hugepages?.find((one) => one.size === size);
      if (pages === 0) return [];
      return [["huge pages", `${String(now?.freePages ?? "unknown")} free of ${String(pages)} of ${size}`]];
    }),
    ...((memory.numaNodes ?? []).length > 1 ? [["numa nodes", (memory.numaNodes ?? []).join(", ")]] : []),
    ...hostDeviceRows(facts),
    ["qemu", `${qemu.version}, ${qemu.accelerator}: ${qemu.acceleratorReason}`],
    ...containmentRows(facts),
    ["migration", migrationText(facts)],
    ...facts.datastores.map(({ name, path, shared }) => {
      const now = load?.datastores.find((one) => one.name === name);
      const space =
        now?.space == null
          ? `unavailable: ${now?.reason ?? "unknown"}`
          : `${formatBytes(now.space.freeBytes)} free`;
      return ["datastore", `${name} (${path}), ${space}, ${shared ? "shared" : "host-local"}`];
    }),
    ...facts.portGroups.map(({ name, bridge, uplink }) => {
      const now = load?.portGroups?.find((one) => one.name === name);
      return ["port group", `${name} (${bridge}), uplink ${uplink ?? "none"}${portGroupText(uplink, now)}`];
    }),
    ...(load?.links ?? []).flatMap(({ name, bond }) =>
      bond === undefined ? [] : [["bond", `${name} (${bond.mode}): ${bondText(bond)}`]],
    ),
    ...(load?.portGroups ?? [])
      .filter(({ state }) => state === "bridgeMissing")
      .map(({ name, bridge }) => ["port group", `${name}: its bridge ${bridge ?? ""} does not exist`]),
  ];
}

function migrationText({ migration, migrationSettings }: HostFacts): string {
  if (migrationSettings === null) return "no address configured";
  const ports =
    migrationSettings === undefined
      ? ""
      : `, ports ${String(migrationSettings.ports.first)} to ${String(migrationSettings.ports.last)}`;
  if (migration === null) return `${migrationSettings?.address ?? "no address"}, which no interface has`;
  const { also = [], alsoProblem } = migrationSettings ?? {};
  const unused = alsoProblem == null ? "" : `, not used: ${alsoProblem}`;
  const further = also.length === 0 ? "" : `, together with ${also.join(", ")}${unused}`;
  const speed = speedText(migration.link.bitsPerSecond);
  return `${migration.address} on ${migration.link.name}, ${speed}${ports}${further}`;
}

function portGroupText(uplink: string | null, now: PortGroupLoad | undefined): string {
  if (uplink === null || now?.uplinkUp === true) return now?.state === "bridgeOff" ? ", bridge off" : "";
  return now === undefined ? ", carrier unknown" : `, ${stateWords[now.state ?? "uplinkWithoutCarrier"]}`;
}

const bondText = ({ ports, active }: BondLoad): string =>
  ports
    .map(({ name, up }) => `${name} ${up ? "up" : "without a link"}${name === active ? ", in use" : ""}`)
    .join("; ") || "no cards";

const stateWords: Record<PortGroupState, string> = {
  up: "up",
  internal: "internal",
  bridgeMissing: "no such bridge",
  bridgeOff: "bridge off",
  uplinkMissing: "no such interface",
  uplinkNotInBridge: "not a port of the bridge",
  uplinkOff: "uplink off",
  uplinkWithoutCarrier: "no carrier",
};

/** How VMs are kept apart there. */
function containmentRows({ containment }: HostFacts): string[][] {
  if (containment === undefined) return [["vm users", "one for all VMs: its agent is of an earlier version"]];
  const { vmUids, vmUidsProblem, limitsProblem, cpuWeightsProblem, cpuLimitsProblem, appArmorProblem } =
    containment;
  const uids = `${String(vmUids.first)} to ${String(vmUids.first + vmUids.count - 1)}`;
  return [
    ["vm users", vmUidsProblem === null ? `uids ${uids}` : `one for all VMs: ${vmUidsProblem}`],
    ...(cpuWeightsProblem === undefined
      ? []
      : [["cpu weights", cpuWeightsProblem === null ? "by resource pools" : `none: ${cpuWeightsProblem}`]]),
    [
      "cpu limits",
      cpuLimitsProblem === null
        ? "by rules and resource pools"
        : `none: ${cpuLimitsProblem ?? "its agent is of an earlier version"}`,
    ],
    ["vm limits", limitsProblem === null ? "memory and tasks" : `none: ${limitsProblem}`],
    ["apparmor", appArmorProblem === null ? "confines QEMU" : `does not confine QEMU: ${appArmorProblem}`],
  ];
}

/** By what the host knows how well it is; what is not well is an alarm. */
function healthRows(load: HostLoad | null): string[][] {
  const { health } = load ?? {};
  if (health === undefined) return [];
  const [has, lacks] = [true, false].map((own) =>
    health.sources.filter(({ absent }) => (absent === null) === own),
  ) as [typeof health.sources, typeof health.sources];
  const state = health.findings.some((one) => one.state === "severe") ? "severe" : "moderate";
  return [
    [
      "health",
      `${health.findings.length === 0 ? "well" : state}, by ${has.map(({ name }) => name).join(", ") || "no source"}`,
    ],
    ...lacks.map(({ name, absent }) => ["not looked at", `${name}: ${absent ?? ""}`]),
  ];
}

/** What the host does now. */
function loadRows({ cpu, links, vms }: HostLoad): string[][] {
  return [
    [
      "load",
      cpu === null
        ? "unknown"
        : `${usedText(cpu.usedCpus, "unknown")} CPUs used, ${stolenText(cpu.stolenCpus)}${cpu.loadAverage.map((figure) => figure.toFixed(2)).join(" ")} tasks`,
    ],
    ...(links ?? []).map(({ name, up, receivedBytesPerSecond, sentBytesPerSecond }) => [
      "link",
      `${name} ${up ? `up, ${rateText(receivedBytesPerSecond)} in, ${rateText(sentBytesPerSecond)} out` : "down"}`,
    ]),
    ...vms.map(({ name, state, user, ...usage }) => [
      "vm",
      (usage.residentBytes === null ? `${name} ${state}` : `${name} ${state}, ${usageText(usage)}`) +
        (user == null ? "" : `, ${userText(user)}`),
    ]),
  ];
}

/** What a hypervisor under the host took; nothing on a server of its own. */
const stolenText = (stolenCpus: number | null | undefined): string =>
  stolenCpus == null || stolenCpus < 0.05
    ? ""
    : `${stolenCpus.toFixed(1)} of them taken by a hypervisor under it, `;

/** Who a VM's QEMU runs as. */
export const userText = ({ uid, sharedBecause }: VmUser): string =>
  sharedBecause === null ? `uid ${String(uid)}` : `uid ${String(uid)}, which VMs share: ${sharedBecause}`;

const speedText = (bitsPerSecond: number | null): string =>
  bitsPerSecond === null ? "speed unknown" : `${String(Math.round(bitsPerSecond / 1e6))} Mbit/s`;

/** Those that a VM could have: of PCI what VFIO has, where there is an IOMMU. */
function hostDeviceRows({ hostDevices }: HostFacts): string[][] {
  const { pci = [], usb = [] } = hostDevices ?? {};
  return [
    ...pci
      .filter(({ driver }) => driver === "vfio-pci")
      .map(({ address, id, group }) => ["pci device", `${address} (${id}), IOMMU group ${String(group)}`]),
    ...usb.map(({ id, product }) => ["usb device", product === undefined ? id : `${id} (${product})`]),
  ];
}
