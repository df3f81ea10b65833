/**
 * May this VM move there? Every requirement is looked at and every finding told at once. The list below
 * is the list of requirements; each is one file in `checks/`.
 */
import { finding, type Finding } from "@godwit/contract";
import { addressFilter } from "./checks/address-filter.ts";
import { annotations } from "./checks/annotations.ts";
import { accelerator } from "./checks/accelerator.ts";
import { balloon } from "./checks/balloon.ts";
import { memoryHotPlug } from "./checks/memory-hot-plug.ts";
import { bootOrder } from "./checks/boot-order.ts";
import { carriedDisks } from "./checks/carried-disks.ts";
import { clocks } from "./checks/clocks.ts";
import { cdrom, cdromAtRest } from "./checks/cdrom.ts";
import { cpuAffinity, cpuAffinityAtRest } from "./checks/cpu-affinity.ts";
import { cpuBaseline } from "./checks/cpu-baseline.ts";
import { cpuFollowsHost } from "./checks/cpu-follows-host.ts";
import { cpuHidden } from "./checks/cpu-hidden.ts";
import { cpuMasks } from "./checks/cpu-masks.ts";
import { cpuTopology } from "./checks/cpu-topology.ts";
import { cpuVendor } from "./checks/cpu-vendor.ts";
import { cpu, cpuAtRest } from "./checks/cpu.ts";
import { deviceModels } from "./checks/device-models.ts";
import { devicePlaces } from "./checks/device-places.ts";
import { firmware, firmwareAtRest } from "./checks/firmware.ts";
import { guestMemory } from "./checks/guest-memory.ts";
import { hostDevices, hostDevicesAtRest } from "./checks/host-devices.ts";
import { hugepages, hugepagesAtRest } from "./checks/hugepages.ts";
import { numaBinding, numaBindingAtRest } from "./checks/numa-binding.ts";
import { health } from "./checks/health.ts";
import { invariantTsc } from "./checks/invariant-tsc.ts";
import { leases } from "./checks/leases.ts";
import { linkedDisks } from "./checks/linked-disks.ts";
import { machine } from "./checks/machine.ts";
import { maintenance } from "./checks/maintenance.ts";
import { memory } from "./checks/memory.ts";
import { memoryOrder } from "./checks/memory-order.ts";
import { migrationNetwork } from "./checks/migration-network.ts";
import { migrationPath } from "./checks/migration-path.ts";
import { paused } from "./checks/paused.ts";
import { portGroups, portGroupsAtRest } from "./checks/port-groups.ts";
import { snapshots } from "./checks/snapshots.ts";
import { storage } from "./checks/storage.ts";
import { suspension } from "./checks/suspension.ts";
import { tpm, tpmAtRest } from "./checks/tpm.ts";
import { vmUid } from "./checks/vm-uid.ts";
import type { ColdRequirement, MoveFacts, Reachable, RelocationFacts, Requirement } from "./facts.ts";

/** What must hold for a live move. */
const liveRequirements: readonly Requirement[] = [
  cpuVendor,
  cpu,
  cpuBaseline,
  cpuFollowsHost,
  cpuHidden,
  cpuMasks,
  cpuAffinity,
  numaBinding,
  hostDevices,
  invariantTsc,
  machine,
  deviceModels,
  devicePlaces,
  annotations,
  guestMemory,
  cpuTopology,
  bootOrder,
  balloon,
  memoryHotPlug,
  linkedDisks,
  firmware,
  tpm,
  accelerator,
  memoryOrder,
  memory,
  hugepages,
  storage,
  carriedDisks,
  cdrom,
  snapshots,
  vmUid,
  leases,
  portGroups,
  addressFilter,
  migrationNetwork,
  migrationPath,
  clocks,
  health,
  paused,
];

/** What must hold for a stopped VM to be started at the destination from now on. */
const coldRequirements: readonly ColdRequirement[] = [
  cpuAtRest,
  cpuAffinityAtRest,
  numaBindingAtRest,
  hostDevicesAtRest,
  hugepagesAtRest,
  machine,
  deviceModels,
  devicePlaces,
  annotations,
  guestMemory,
  cpuTopology,
  bootOrder,
  balloon,
  memoryHotPlug,
  linkedDisks,
  firmwareAtRest,
  tpmAtRest,
  storage,
  cdromAtRest,
  snapshots,
  suspension,
  leases,
  portGroupsAtRest,
  addressFilter,
  health,
];

/** @returns all findings; the VM may move exactly if none has severity `error` */
export function checkMove(facts: MoveFacts): Finding[] {
  return check(facts, liveRequirements);
}

/** The same for a VM that does not run: nothing of memory or links matters. */
export function checkRelocation(facts: RelocationFacts): Finding[] {
  return check(facts, coldRequirements);
}

export const mayMove = (findings: readonly Finding[]): boolean =>
  findings.every(({ severity }) => severity !== "error");

function check<Facts extends RelocationFacts>(
  facts: Facts,
  requirements: readonly ((facts: Reachable<Facts>) => Finding[])[],
): Finding[] {
  const { report, name, reason, refusal } = facts.destination;
  if (report === null) {
    return [
      refusal ?? finding("DESTINATION_UNREACHABLE", { host: name, reason: reason ?? "no answer" }),
      ...maintenance(facts),
    ];
  }
  const reachable = { ...facts, target: report.facts, targetLoad: report.load };
  return [...maintenance(facts), ...requirements.flatMap((requirement) => requirement(reachable))];
}
