/**
 * What an operator should know of a host that its own report tells, whatever else is known: leases that it cannot keep, guests that stopped by
 * themselves or do not answer, bonds with a failed card, VMs that run a QEMU of before an upgrade.
 */
import {
  finding,
  type DatastoreLoad,
  type Finding,
  type HostFacts,
  type HostLoad,
  type PauseReason,
} from "@godwit/contract";
import type { HostReport } from "./facts.ts";
import { healthParts, healthState } from "./host-health.ts";
import { isShared } from "./own-health.ts";

/** @returns what follows from the report alone */
export function reportAlarms({ facts, load }: HostReport): Finding[] {
  return [
    ...weakLeases(load),
    ...unsecuredPorts(facts),
    ...degradedBonds(load),
    ...stoppedGuests(load).map(({ vm, reason }) => finding("VM_PAUSED", { vm, host: facts.name, reason })),
    ...silentGuests(load),
    ...endedTpms(load),
    ...setAside(facts),
    ...outdated(load),
    ...unhealthy(load),
  ];
}

function unhealthy(load: HostLoad): Finding[] {
  if (healthState(load) === null) return [];
  // Slow storage ends no host.
  const severe = load.health?.findings.some((one) => one.state === "severe" && !isShared(one)) === true;
  const details = { host: load.name, parts: healthParts(load), severe };
  return [finding("HOST_UNHEALTHY", details, severe ? "error" : "warning")];
}

function outdated(load: HostLoad): Finding[] {
  const vms = outdatedQemus(load);
  return vms.length === 0 ? [] : [finding("VM_QEMU_OUTDATED", { vms, host: load.name }, "warning")];
}

/** VMs whose QEMU runs from a program that is not on the host any more: it was upgraded, or removed. */
export const outdatedQemus = ({ vms }: HostLoad): string[] =>
  vms.flatMap(({ name, qemuReplaced }) => (qemuReplaced === true ? [name] : [])).sort();

/** VMs that stand still though nobody told them to: what a user paused, or the guest itself put to sleep, is no alarm. */
export const stoppedGuests = ({ vms, datastores }: HostLoad): StoppedGuest[] =>
  vms.flatMap(({ name: vm, pauseReason: reason }) => {
    if (reason == null || ["user", "suspended", "shutdown"].includes(reason)) return [];
    // What is free is told where it matters only: it changes with every report.
    return [{ vm, reason, ...(reason === "no-space" ? { free: datastores.map(freeMib) } : {}) }];
  });

/** Shorter than this is no alarm: a guest that is busy may not answer for a while. */
const silentForMs = 60_000;

/** Guests that may hang, as far as their hosts watch them. */
const silentGuests = ({ name: host, reportedAt, vms }: HostLoad): Finding[] =>
  vms.flatMap(({ name: vm, guestSilentSince: since }) =>
    since == null || Date.parse(reportedAt) - Date.parse(since) < silentForMs
      ? []
      : [finding("VM_GUEST_SILENT", { vm, host, since })],
  );

const endedTpms = ({ name: host, vms }: HostLoad): Finding[] =>
  vms.flatMap(({ name: vm, tpmEnded }) => (tpmEnded === true ? [finding("TPM_ENDED", { vm, host })] : []));

interface StoppedGuest {
  vm: string;
  reason: PauseReason;
  free?: (number | null)[];
}

const freeMib = ({ space }: DatastoreLoad): number | null =>
  space === null ? null : Math.floor(space.freeBytes / 1048576);

/** An agent that does not tell is an older one, which has an alarm of its own. */
function unsecuredPorts({ name: host, portSecurityProblem: reason }: HostFacts): Finding[] {
  return reason == null ? [] : [finding("HOST_PORTS_UNSECURED", { host, reason }, "warning")];
}

/** What carries now has nothing left that may fail, or less speed than its administrator meant. One that is switched off, or without cards as the driver makes it, is meant so. */
const degradedBonds = ({ name: host, links }: HostLoad): Finding[] =>
  (links ?? []).flatMap(({ name: link, carrier, bond }) => {
    const down = bond?.ports.filter(({ up }) => !up).map(({ name }) => name) ?? [];
    if (bond === undefined || carrier === "off" || down.length === 0) return [];
    return [finding("HOST_BOND_DEGRADED", { host, link, down, ports: bond.ports.length }, "warning")];
  });

/** Such a VM may run, and cannot be stopped, moved or started until an operator has looked. */
const setAside = ({ name: host, vmsSetAside = [] }: HostFacts): Finding[] =>
  vmsSetAside.map(({ id, name: vm, reason }) => finding("VM_SET_ASIDE", { vm, id, host, reason }));

/** Leases on shared storage that cannot be taken, or that no watchdog enforces. */
function weakLeases({ name: host, datastores }: HostLoad): Finding[] {
  const shared = datastores.flatMap(({ name, leases }) => (leases === null ? [] : [{ name, leases }]));
  const lost = shared.filter(({ leases }) => leases.state === "unavailable");
  const unguarded = shared.filter(({ leases }) => leases.state === "joined" && !leases.watchdog);
  return [
    ...lost.map(({ name, leases }) =>
      finding("DESTINATION_LEASES_UNAVAILABLE", { host, datastore: name, reason: leases.reason ?? "" }),
    ),
    ...(unguarded.length === 0
      ? []
      : [
          finding(
            "HOST_WITHOUT_WATCHDOG",
            { host, datastores: unguarded.map(({ name }) => name) },
            "warning",
          ),
        ]),
  ];
}
