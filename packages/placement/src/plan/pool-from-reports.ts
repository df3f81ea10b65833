/**
 * A pool for the planner, from what its hosts reported last and what was measured of their VMs. A VM that was not measured
 * for long enough counts with what it used in the last report, and is not moved for its load. Only VMs with a process count: one that is stopped uses
 * nothing, and may start elsewhere.
 */
import { GodwitError, hasProcess, type Finding, type HostView, type VmView } from "@godwit/contract";
import { judgeMove, qemuOverheadBytes, type Destination, type HostReport } from "@godwit/requirements";
import { leastMeasuredSeconds, type KnownLoad } from "../load/history.ts";
import { guestBytes, memoryBytes } from "../evacuation.ts";
import { memoryMisfit } from "./memory-fit.ts";
import type { PoolRule } from "../rules/pool-rule.ts";
import type { Pool, PoolHost, PoolVm } from "./pool.ts";
import { withRules } from "./with-rules.ts";

/** A host as the server knows it. */
export type KnownHost = Pick<HostView, "name" | "maintenance" | "unreachableReason" | "facts" | "load"> & {
  baseline: Destination["baseline"];
  /** It is not well, and its pool gives it no VM. */
  quarantined?: boolean;
};

export interface PoolReports {
  hosts: readonly KnownHost[];
  /** Of these hosts. */
  vms: readonly VmView[];
  /** VMs that have a task, by their ids. */
  busy: ReadonlySet<string>;
  rules: readonly PoolRule[];
  /** What was measured of VMs, by their ids. */
  loads: ReadonlyMap<string, KnownLoad>;
  /** By VM id: seconds since its last move or attempt. */
  movedBefore?: ReadonlyMap<string, number>;
  /** VMs whose last move failed lately, by their ids. */
  frozen?: ReadonlySet<string>;
}

/** Of a mean: how far one report's figure may be off in the next. */
const assumedDeviation = 0.3;
/** What a link is taken to carry whose speed is not known. */
const assumedBitsPerSecond = 1e9;
const assumedSlowdown = 0.1;
const assumedOutageSeconds = 0.1;

export function poolFromReports(reports: PoolReports): Pool {
  const { hosts, vms, busy, rules, loads, movedBefore, frozen } = reports;
  const byName = new Map(hosts.map((host) => [host.name, host]));
  const pool: Pool = {
    hosts: hosts.map(poolHost),
    vms: vms.flatMap((vm) => {
      const host = byName.get(vm.host);
      if (host === undefined || !hasProcess(vm)) return [];
      const isFrozen = frozen?.has(vm.id) === true;
      const bound = boundOf(vm, host, busy) ?? (isFrozen ? "its last move failed" : null);
      const moved = movedBefore?.get(vm.id);
      const known = {
        ...{ ...knownVm(vm, host, loads), host: host.name },
        ...(moved === undefined ? {} : { movedBefore: moved }),
      };
      return [bound === null ? { ...known, excluded: excludedHosts(vm, host, hosts) } : { ...known, bound }];
    }),
    rules: [],
  };
  return withRules(pool, rules);
}

/**
 * The pool in which one VM is to be placed and all others stay: one that does not run yet, or one that is to leave its host.
 * @returns null when its host is not of the pool
 */
export function poolToPlace(
  { hosts, vms, rules, loads }: Omit<PoolReports, "busy">,
  vm: VmView,
): Pool | null {
  const home = hosts.find(({ name }) => name === vm.host);
  if (home === undefined) return null;
  const excluded = excludedHosts(vm, home, hosts);
  if (hasProcess(vm)) excluded.set(home.name, "it is there now");
  else excludeMisfits(excluded, vm, hosts, "free");
  const byName = new Map(hosts.map((host) => [host.name, host]));
  const others = vms.flatMap((other): PoolVm[] => {
    const host = byName.get(other.host);
    if (host === undefined || !hasProcess(other) || other.id === vm.id) return [];
    return [{ ...knownVm(other, host, loads), host: host.name, bound: "it is not asked" }];
  });
  const placed: PoolVm = { ...knownVm(vm, home, loads), host: null, move: null, excluded };
  return withRules({ hosts: hosts.map(poolHost), vms: [...others, placed], rules: [] }, rules);
}

/**
 * The pool in which hosts may fail: of every VM it is known which hosts could start it. One VM is yet to start, and is nowhere.
 */
export function poolForFailures(
  { hosts, vms, rules, loads }: Omit<PoolReports, "busy">,
  starting: VmView,
): Pool {
  const byName = new Map(hosts.map((host) => [host.name, host]));
  const away: KnownHost = {
    ...{ name: starting.host, maintenance: "off", unreachableReason: null, facts: null, load: null },
    baseline: null,
  };
  const counted = [...vms.filter(({ id }) => id !== starting.id), starting].flatMap((vm): PoolVm[] => {
    const home = byName.get(vm.host) ?? (vm === starting ? away : undefined);
    if (home === undefined) return [];
    // As one that its host's failure has ended: it is started, not moved.
    const excluded = excludedHosts({ ...vm, state: "lost" }, home, hosts);
    const others = hosts.filter(({ name }) => name !== home.name);
    excludeMisfits(excluded, vm, others, "all");
    return [{ ...knownVm(vm, home, loads), host: vm === starting ? null : home.name, move: null, excluded }];
  });
  return withRules({ hosts: hosts.map(poolHost), vms: counted, rules: [] }, rules);
}

function poolHost(host: KnownHost): PoolHost {
  const { name, facts, load, maintenance, quarantined = false } = host;
  const state = maintenance === "entering" ? "leaving" : "closed";
  return {
    ...reportedHost(name, facts === null || load === null ? null : { facts, load }),
    state: maintenance === "off" && absenceOf(host) === null && !quarantined ? "open" : state,
  };
}

/** What a host has for VMs is what is available and what its VMs have taken already. */
export function reportedHost(name: string, report: HostReport | null): PoolHost {
  const available = report?.load.memory?.availableBytes ?? 0;
  const taken = (report?.load.vms ?? []).reduce((sum, { residentBytes }) => sum + (residentBytes ?? 0), 0);
  return {
    name,
    cores: Math.max(1, report?.facts.cpu.logicalCpus ?? 1),
    memoryBytes: Math.max(1, Math.min(available + taken, report?.facts.memory.totalBytes ?? 0)),
    state: "open",
  };
}

/** VMs that only count where they are: what their host reports of them is enough. */
export const bystanders = (host: string, { load }: HostReport): PoolVm[] =>
  load.vms.filter(hasProcess).map(({ id, memoryMib, usedCpus, residentBytes }) => ({
    ...{ name: `${host} ${id}`, host, vcpus: Math.max(1, Math.ceil((usedCpus ?? 0) * 2)) },
    memoryBytes: residentBytes ?? memoryMib * 2 ** 20 + qemuOverheadBytes,
    load: usedCpus === null ? null : { mean: usedCpus, deviation: usedCpus * assumedDeviation },
    ...{ activeBytes: residentBytes, move: null, bound: "it is not asked" },
  }));

/** Why a host can be given nothing; null: it answers. */
export function absenceOf({ unreachableReason, facts, load }: KnownHost): string | null {
  if (unreachableReason !== null) return unreachableReason;
  return facts === null || load === null ? "it has not reported yet" : null;
}

function knownVm(vm: VmView, host: KnownHost, loads: PoolReports["loads"]): Omit<PoolVm, "host"> {
  const runtime = host.load?.vms.find(({ id }) => id === vm.id);
  const mean = runtime?.usedCpus ?? null;
  const known = loads.get(vm.id);
  const seconds = known?.measuredSeconds ?? 0;
  const resident = runtime?.residentBytes ?? null;
  const bytes = memoryBytes(vm);
  const sentBytes = vm.config.hugepages === undefined ? (resident ?? bytes) : guestBytes(vm);
  return {
    ...{ name: vm.name, vcpus: vm.config.vcpus, memoryBytes: bytes + qemuOverheadBytes },
    load: known?.load ?? (mean === null ? null : { mean, deviation: mean * assumedDeviation }),
    ...(seconds >= leastMeasuredSeconds ? {} : { unmeasured: unmeasuredReason(seconds) }),
    activeBytes: resident === null ? null : Math.min(resident, bytes),
    move: {
      seconds: (sentBytes * 8) / (host.facts?.migration?.link.bitsPerSecond ?? assumedBitsPerSecond),
      ...{ slowdown: assumedSlowdown, outageSeconds: assumedOutageSeconds },
    },
  };
}

const unmeasuredReason = (seconds: number): string =>
  seconds === 0
    ? "its load is not known yet"
    : `its load is known for ${String(seconds)} s, and ${String(leastMeasuredSeconds)} s are needed`;

function boundOf(vm: VmView, host: KnownHost, busy: ReadonlySet<string>): string | null {
  const absent = absenceOf(host);
  if (absent !== null) return `its host does not answer: ${absent}`;
  if (host.load?.vms.some(({ id }) => id === vm.id) !== true)
    return `its host ${host.name} does not report it`;
  if (busy.has(vm.id)) return "it has a task under way";
  return vm.state === "running" || vm.state === "paused" ? null : `it is ${vm.state}`;
}

/** Hosts that would refuse it, for anything but memory: of that the planner keeps count itself. */
function excludedHosts(vm: VmView, from: KnownHost, hosts: readonly KnownHost[]): Map<string, string> {
  const excluded = new Map<string, string>();
  for (const { name, facts, load, maintenance, baseline } of hosts) {
    if (name === from.name || facts === null || load === null || maintenance !== "off") continue;
    const memory = { ...(load.memory ?? { pressurePercent: null }), availableBytes: Number.MAX_SAFE_INTEGER };
    const report = { facts, load: { ...load, memory } };
    const [first] = findingsOf(vm, from, { name, takesVms: true, report, baseline: baseline ?? null });
    if (first !== undefined) excluded.set(name, first.message);
  }
  return excluded;
}

/** Of a VM that is to be started. */
function excludeMisfits(
  excluded: Map<string, string>,
  { config }: VmView,
  hosts: readonly KnownHost[],
  pages: "free" | "all",
): void {
  for (const { name, facts, load } of hosts) {
    const misfit = facts === null || load === null ? null : memoryMisfit(config, { facts, load }, pages);
    if (misfit !== null && !excluded.has(name)) excluded.set(name, misfit);
  }
}

function findingsOf(vm: VmView, { facts, load }: KnownHost, destination: Destination): Finding[] {
  try {
    const { findings } = judgeMove(vm, { facts, load }, destination);
    return findings.filter(({ severity }) => severity === "error");
  } catch (error) {
    if (!GodwitError.is(error, "VM_NOT_RUNNING")) throw error;
    return [];
  }
}
