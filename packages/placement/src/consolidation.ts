/**
 * Which host of a pool is powered off to save power, and which one is woken. The model is vSphere's DPM: a host goes when the load that is
 * predicted fits on the others with headroom, they then still bear the loss of any one of them, no rule breaks, and all that has been so for a
 * while; it comes back as soon as one of these does not hold. Waking goes first, one host changes at a time, and a pool that has woken a host
 * powers none off for an hour. A host that has not shown that it wakes is never powered off. Pure.
 */
import type { ConsolidationPolicy, ConsolidationStep, HostPower, Maintenance } from "@godwit/contract";
import { k95 } from "./load/forecast.ts";
import { planPool } from "./plan/plan-pool.ts";
import { defaultOptions, type PlanOptions, type Pool, type PoolVm } from "./plan/pool.ts";
import { supposed } from "./plan/what-if.ts";

export interface ConsolidationHost {
  name: string;
  isUp: boolean;
  maintenance: Maintenance;
  /** Null: the server does not control its power. */
  power: Pick<HostPower, "state" | "pool" | "wokeAt" | "wakeFailure"> | null;
  /** What the pool did last to empty it and to power it off; null: nothing since it took VMs last, by all that is known. */
  emptied: Outcome | null;
  poweredOff: Outcome | null;
  /** Seconds since the pool failed to empty it or to power it off; null: it never did. */
  failedSeconds: number | null;
  /** Its certificate ends before long, and only a host that is on renews it. */
  certificateEnds: boolean;
}
type Outcome = "under way" | "succeeded" | "failed";

export interface ConsolidationQuestion {
  pool: Pool;
  /** Name of the pool. */
  name: string;
  hosts: readonly ConsolidationHost[];
  policy: ConsolidationPolicy;
  /** Which host could be powered off when that was looked at last, and for how long. */
  candidate: { host: string; seconds: number } | null;
  /** Seconds since the pool woke a host; null: it never did. */
  wokenSeconds: number | null;
  /** Why a VM did not start lately, for want of room; null: all did. */
  shortage: string | null;
}

export interface ConsolidationAnswer {
  step: ConsolidationStep;
  /** The host that could be powered off now; null: none. */
  candidate: string | null;
  hosts: { host: string; reason: string }[];
}

/** After a wake, and of a host with which something failed. */
export const settleSeconds = 3600;
/** Above the target. */
export const hysteresisPercent = 18;
/** Each candidate is a plan of the whole pool. */
const mostCandidates = 4;

const options: PlanOptions = { ...defaultOptions, threshold: 1 };

export function consolidate(question: ConsolidationQuestion): ConsolidationAnswer {
  const { hosts } = question;
  const step = (what: ConsolidationStep["do"], host: string | null, reason: string): ConsolidationAnswer => ({
    step: { do: what, host, reason },
    candidate: null,
    hosts: hosts.map((one) => ({
      host: one.name,
      reason: whyNotOff(one, question) ?? "it is not the least used",
    })),
  });
  const back = hosts.find(isToTakeBack);
  if (back !== undefined) return step("takeBack", back.name, "it was emptied, and is not powered off");
  const busy = hosts.find(isUnderWay);
  if (busy !== undefined) return step("wait", busy.name, "its power or its maintenance changes");
  const need = needOf(question);
  const ready = hosts.find(isReady);
  if (ready !== undefined)
    return need === null
      ? step("off", ready.name, "its VMs are elsewhere")
      : step("takeBack", ready.name, `it is needed: ${need}`);
  const expiring = sleepers(question).find(({ certificateEnds }) => certificateEnds);
  if (expiring !== undefined)
    return step("wake", expiring.name, "its certificate ends before long, and it renews it when it is on");
  if (need !== null) {
    const [first] = sleepers(question);
    return first === undefined
      ? step("nothing", null, `no host in standby can be woken, and ${need}`)
      : step("wake", first.name, need);
  }
  return leastUseful(question);
}

/** Hosts that the pool powered off and that wake by all that is known, the largest first. */
function sleepers({ hosts, name, pool }: ConsolidationQuestion): ConsolidationHost[] {
  const coresOf = new Map(pool.hosts.map((host) => [host.name, host.cores]));
  return hosts
    .filter(
      ({ isUp, power }) =>
        !isUp && power?.state === "standby" && power.pool === name && power.wakeFailure === null,
    )
    .sort((a, b) => (coresOf.get(b.name) ?? 0) - (coresOf.get(a.name) ?? 0) || (a.name < b.name ? -1 : 1));
}

const isUnderWay = ({ emptied, poweredOff, power }: ConsolidationHost): boolean =>
  emptied === "under way" ||
  poweredOff === "under way" ||
  power?.state === "stopping" ||
  power?.state === "waking";

/** The pool emptied it, and it waits to be powered off. */
const isReady = ({ emptied, poweredOff, maintenance, power, isUp }: ConsolidationHost): boolean =>
  isUp && emptied === "succeeded" && poweredOff === null && maintenance === "on" && power?.state === null;

/** The pool emptied it, or tried to, and it is not off: what was tried failed, or somebody switched it on. */
const isToTakeBack = (host: ConsolidationHost): boolean => {
  const { emptied, poweredOff, maintenance, power, isUp } = host;
  if (emptied === null || emptied === "under way" || poweredOff === "under way" || maintenance === "off")
    return false;
  if (!isUp || (power !== null && power.state !== null)) return false;
  return emptied === "failed" || poweredOff !== null || power === null;
};

/** Why the pool needs another host, as a part of a sentence; null: it does not. */
function needOf({ pool, policy, shortage }: ConsolidationQuestion): string | null {
  const open = pool.hosts.filter(({ state }) => state === "open").length;
  if (open < policy.minHosts) return `${String(open)} hosts take VMs, and ${String(policy.minHosts)} are to`;
  if (shortage !== null) return shortage;
  const { cores, memory } = usedBy(pool);
  const most = policy.targetPercent + hysteresisPercent;
  if (cores > most) return `its VMs are predicted to use ${percent(cores)} of its cores`;
  if (memory > most) return `its VMs use ${percent(memory)} of its memory`;
  const { after, stuck } = planPool(pool, options);
  const [first] = stuck;
  if (first !== undefined) return `no host has room for VM ${first}`;
  return after.survivesFailure ? null : `it does not bear the loss of host ${after.failingHost ?? "any"}`;
}

function leastUseful(question: ConsolidationQuestion): ConsolidationAnswer {
  const { pool, policy, hosts, candidate, wokenSeconds } = question;
  const open = pool.hosts.filter(({ state }) => state === "open");
  const stays = (reason: string): ConsolidationAnswer => ({
    step: { do: "nothing", host: null, reason },
    candidate: null,
    hosts: hosts.map((host) => ({ host: host.name, reason: whyNotOff(host, question) ?? reason })),
  });
  const leaving = hosts.find(({ maintenance }) => maintenance === "entering");
  if (leaving !== undefined) return stays(`host ${leaving.name} is being emptied`);
  if (open.length <= policy.minHosts) return stays(`${hostsText(policy.minHosts)} to stay on`);
  if (wokenSeconds !== null && wokenSeconds < settleSeconds)
    return stays(`a host was woken less than an hour ago`);
  const able = hosts
    .filter((host) => whyNotOff(host, question) === null)
    .map(({ name }) => ({ name, load: coresOn(pool, name) }))
    .sort(
      (a, b) =>
        // The one that was chosen stays chosen while it is as good as any.
        Number(b.name === candidate?.host) - Number(a.name === candidate?.host) ||
        a.load - b.load ||
        (a.name < b.name ? -1 : 1),
    );
  const reasons = new Map<string, string>();
  for (const { name } of able.slice(0, mostCandidates)) {
    const against = againstLosing(name, question);
    if (against === null) {
      const seconds = candidate?.host === name ? candidate.seconds : 0;
      const left = policy.stableSeconds - seconds;
      const others = `the VMs of host ${name} fit on the others`;
      return {
        ...stays("another host is the least used"),
        step:
          left <= 0
            ? { do: "empty", host: name, reason: `${others} for ${String(Math.round(seconds))} s` }
            : {
                do: "soon",
                host: name,
                reason: `${others}; if that stays so for ${String(Math.ceil(left))} s`,
              },
        candidate: name,
      };
    }
    reasons.set(name, against);
  }
  const answer = stays(
    able.length === 0 ? "no host may be powered off" : "the load does not fit on fewer hosts",
  );
  return {
    ...answer,
    hosts: answer.hosts.map((one) => ({ ...one, reason: reasons.get(one.host) ?? one.reason })),
  };
}

/** Why this host may not be powered off at any load; null: it may. */
function whyNotOff(host: ConsolidationHost, { pool }: ConsolidationQuestion): string | null {
  const { power, isUp, maintenance, failedSeconds } = host;
  if (power === null) return "the server does not control its power";
  if (power.state === "standby") return "it is in standby";
  if (!isUp) return "it does not answer";
  if (maintenance !== "off") return "it is in maintenance";
  if (power.wakeFailure !== null) return "it did not wake when that was tried last";
  if (power.wokeAt === null) return "it has not shown yet that it wakes: power it off and on once";
  if (failedSeconds !== null && failedSeconds < settleSeconds)
    return "it could not be powered off less than an hour ago";
  return pool.hosts.find(({ name }) => name === host.name)?.state === "open"
    ? null
    : "it takes no VMs of the pool";
}

/** What stands against the pool without this host, as a part of a sentence; null: nothing. */
function againstLosing(name: string, { pool, policy }: ConsolidationQuestion): string | null {
  const careful = { ...pool, vms: pool.vms.map(atWorst) };
  const { cores, memory } = usedBy(careful, name);
  if (cores > policy.targetPercent)
    return `without it the VMs are predicted to use ${percent(cores)} of the cores`;
  if (memory > policy.targetPercent) return `without it the VMs use ${percent(memory)} of the memory`;
  const { before, after, stuck } = planPool(supposed(careful, { without: [name], add: [] }), options);
  const [first] = stuck;
  if (first !== undefined) return `no other host has room for its VM ${first}`;
  if (after.mustLeave > 0) return "its VMs have no place elsewhere";
  if (after.violations > before.violations) return "rules break without it";
  return after.survivesFailure
    ? null
    : `the pool would not bear the loss of host ${after.failingHost ?? "any"} without it`;
}

/** A VM whose load is not known yet may use all of its CPUs. */
const atWorst = (vm: PoolVm): PoolVm =>
  vm.unmeasured === undefined && vm.load !== null ? vm : { ...vm, load: { mean: vm.vcpus, deviation: 0 } };

/** What is predicted of all VMs, in percent of what the hosts that take VMs have. */
function usedBy({ hosts, vms }: Pool, without: string | null = null): { cores: number; memory: number } {
  const open = hosts.filter(({ name, state }) => state === "open" && name !== without);
  const counted = vms.filter(
    ({ host }) => host === null || hosts.some(({ name, state }) => name === host && state !== "closed"),
  );
  let [mean, variance, bytes] = [0, 0, 0];
  for (const { load, vcpus, memoryBytes } of counted) {
    mean += load?.mean ?? vcpus / 2;
    variance += (load?.deviation ?? 0) ** 2;
    bytes += memoryBytes;
  }
  const cores = open.reduce((sum, host) => sum + host.cores, 0);
  const memoryBytes = open.reduce((sum, host) => sum + host.memoryBytes, 0);
  const share = (used: number, of: number) => (used === 0 ? 0 : (used / of) * 100);
  return { cores: share(mean + k95 * Math.sqrt(variance), cores), memory: share(bytes, memoryBytes) };
}

const coresOn = ({ vms }: Pool, name: string): number =>
  vms.reduce((sum, { host, load, vcpus }) => (host === name ? sum + (load?.mean ?? vcpus / 2) : sum), 0);

const hostsText = (count: number): string => (count === 1 ? "one host is" : `${String(count)} hosts are`);

const percent = (share: number): string => (share === Infinity ? "more than all" : `${share.toFixed(0)} %`);
