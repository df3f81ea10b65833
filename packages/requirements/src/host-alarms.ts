/**
 * What an operator should know of a host, from what it reports, its VMs and its pool: features that VMs on it see and it no longer has,
 * a baseline of its pool that it no longer satisfies, datastores that it lost. It is here because an alarm is a
 * requirement that a host does not meet (any more) for the VMs that it has. What holds now is reported, not what has changed.
 */
import {
  datastoresOf,
  finding,
  type Baseline,
  type Finding,
  type HostFacts,
  type HostLoad,
  type UnlearnedMac,
  type VmView,
} from "@godwit/contract";
import { hostAdmission, lostFeatureFindings, type Cpu, type EvcHost, type RunningVm } from "@godwit/cpu";
import { evcHost, runningVm } from "./evc-facts.ts";
import type { HostReport } from "./facts.ts";
import { reportAlarms } from "./report-alarms.ts";

/** The pool that the host is in. */
interface HostPool {
  name: string;
  baseline: Baseline | null;
}

/** @param vms all that are known; those on this host count */
export function hostAlarms(report: HostReport, vms: readonly VmView[], pool: HostPool | null): Finding[] {
  return errorsFirst([...reportAlarms(report), ...vmAlarms(report, vms, pool)]);
}

/** What matters most is read first, whichever of them was found before. */
export const errorsFirst = (alarms: readonly Finding[]): Finding[] =>
  ["error", "warning"].flatMap((severity) => alarms.filter((one) => one.severity === severity));

/** @returns what follows from the report with the VMs that are there, and with the host's pool */
export function vmAlarms(
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
    ...unlearnedMacs(load, vms),
    ...fullDatastores(load, vms),
  ];
}

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
