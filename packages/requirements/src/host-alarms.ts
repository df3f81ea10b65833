/**
 * What an operator should know of a host, from what it reports: features that VMs on it see and it no longer has,
 * a baseline of its pool that it no longer satisfies, leases that it cannot keep, guests that stopped by themselves, VMs
 * that run a QEMU of before an upgrade. It is here because an alarm is a
 * requirement that a host does not meet (any more) for the VMs that it has. What holds now is reported, not what has changed.
 */
import {
  datastoresOf,
  finding,
  type Baseline,
  type DatastoreLoad,
  type Finding,
  type HostFacts,
  type HostLoad,
  type PauseReason,
  type UnlearnedMac,
  type VmView,
} from "@godwit/contract";
import { hostAdmission, lostFeatureFindings, type Cpu, type EvcHost, type RunningVm } from "@godwit/cpu";
import { evcHost, runningVm } from "./evc-facts.ts";
import type { HostReport } from "./facts.ts";
import { healthParts, healthState } from "./host-health.ts";
import { isShared } from "./own-health.ts";

/** The pool that the host is in. */
interface HostPool {
  name: string;
  baseline: Baseline | null;
}

/** @param vms all that are known; those on this host count */
export function hostAlarms(
  { facts, load }: HostReport,
  vms: readonly VmView[],
  pool: HostPool | null,
): Finding[] {
  const host = evcHost(facts.name, facts);
  const running = vms
    .filter(({ id }) => load.vms.some((runtime) => runtime.id === id && runtime.pid !== null))
    .map(runningVm);
  return [
    ...lostFeatures(facts, host.cpu, running),
    ...lostBaseline(host, pool),
    ...lostDatastores(load, vms),
    ...weakLeases(load),
    ...unsecuredPorts(facts),
    ...degradedBonds(load),
    ...stoppedGuests(load).map(({ vm, reason }) => finding("VM_PAUSED", { vm, host: facts.name, reason })),
    ...silentGuests(load),
    ...unlearnedMacs(load, vms),
    ...endedTpms(load),
    ...fullDatastores(load, vms),
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

/** By then they were announced again. */
const unlearnedForMs = 10_000;

/** Addresses of VMs that have moved away, which the host should have learned by now at their new place. */
export const unlearnedForLong = ({ reportedAt, unlearnedMacs = [] }: HostLoad): UnlearnedMac[] =>
  unlearnedMacs.filter(({ since }) => Date.parse(reportedAt) - Date.parse(since) >= unlearnedForMs);

/** Nothing is said of a VM that does not run where it went, or whose NIC is another by now. */
const unlearnedMacs = (load: HostLoad, views: readonly VmView[]): Finding[] =>
  unlearnedForLong(load).flatMap(({ id, mac, portGroup: network, to: host, since }) => {
    const vm = views.find((view) => view.id === id);
    const isThere = vm?.state === "running" && vm.host === host;
    const isSame = vm?.config.nics.some(
      (nic) => nic.mac === mac && nic.portGroup === network && nic.connected !== false,
    );
    if (vm === undefined || !isThere || isSame !== true) return [];
    const details = { vm: vm.name, mac, network, host, witness: load.name, since };
    return [finding("VM_MAC_NOT_LEARNED", details, "warning")];
  });

const endedTpms = ({ name: host, vms }: HostLoad): Finding[] =>
  vms.flatMap(({ name: vm, tpmEnded }) => (tpmEnded === true ? [finding("TPM_ENDED", { vm, host })] : []));

interface StoppedGuest {
  vm: string;
  reason: PauseReason;
  free?: (number | null)[];
}

const freeMib = ({ space }: DatastoreLoad): number | null =>
  space === null ? null : Math.floor(space.freeBytes / 1048576);

/** Datastores on which a guest found no room. Of a VM that has disks on several, the one with the least. */
function fullDatastores(load: HostLoad, views: readonly VmView[]): Finding[] {
  const stopped = load.vms.filter(({ pauseReason }) => pauseReason === "no-space");
  const freeOn = (name: string) =>
    load.datastores.find((one) => one.name === name)?.space?.freeBytes ?? Infinity;
  const fullestOf = (id: string) => {
    const config = views.find((view) => view.id === id)?.config;
    return config === undefined ? undefined : datastoresOf(config).sort((a, b) => freeOn(a) - freeOn(b))[0];
  };
  return load.datastores.flatMap(({ name, space }) => {
    const vms = stopped.filter(({ id }) => fullestOf(id) === name).map((vm) => vm.name);
    if (vms.length === 0) return [];
    return [
      finding("DATASTORE_FULL", {
        ...{ datastore: name, host: load.name, vms },
        freeBytes: space?.freeBytes ?? null,
        totalBytes: space?.totalBytes ?? null,
      }),
    ];
  });
}

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

/** Storage that was unmounted or replaced, or does not answer: VMs that run from there may still have it open. */
function lostDatastores({ name: host, datastores, vms }: HostLoad, views: readonly VmView[]): Finding[] {
  return datastores
    .filter(({ reason }) => reason !== null)
    .map(({ name: datastore, reason }) => {
      const here = views
        .filter(
          ({ id, config }) =>
            datastoresOf(config).includes(datastore) && vms.some((one) => one.id === id && one.pid !== null),
        )
        .map(({ name }) => name)
        .sort();
      return finding("DATASTORE_UNAVAILABLE", {
        host,
        datastore,
        reason: reason ?? "its agent did not say why",
        vms: here,
      });
    });
}

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

/** An emulated guest sees what QEMU emulates, whatever the hardware has. */
function lostFeatures(facts: HostFacts, cpu: Cpu | null, running: readonly RunningVm[]): Finding[] {
  if (cpu === null || (facts.qemu.accelerator !== "kvm" && !facts.cpu.simulated)) return [];
  const seen = running.flatMap(({ features }) => features ?? []);
  return lostFeatureFindings({ ...cpu, features: new Set([...cpu.features, ...seen]) }, cpu, running);
}

function lostBaseline(host: EvcHost, pool: HostPool | null): Finding[] {
  if (pool?.baseline == null) return [];
  const { mode, microcode } = pool.baseline;
  const { findings } = hostAdmission({
    pool: { name: pool.name, mode, microcode },
    host,
    running: [],
    inPool: [],
  });
  return findings.filter(({ severity }) => severity === "error");
}
