/**
 * Admission control: a VM starts only where the pool afterwards still bears the loss of any one host. Not a percentage of what is
 * free: the VMs of each host are packed onto the others, under every cap and hard rule. A VM that no other host could run, whatever room
 * it has, and one that a rule never restarts need no room elsewhere. Pure.
 */
import type { VmView } from "@godwit/contract";
import { restartTerms } from "../restart.ts";
import { admitFailures } from "../search/admission.ts";
import { bestShift } from "../search/descend.ts";
import { State } from "../search/state.ts";
import { LeaveHost } from "../rules/leave-host.ts";
import { compile, type Compiled } from "./compile.ts";
import { poolForFailures, type PoolReports } from "./pool-from-reports.ts";
import { defaultOptions, type PlanOptions } from "./pool.ts";

export interface AdmissionQuestion {
  /** Of the pool of the host. Its VMs are those that count: also those that other tasks start, and those that are to run again. */
  reports: Omit<PoolReports, "busy">;
  /** It need not be of the pool yet. */
  vm: VmView;
  /** Where it is to start. */
  host: string;
  /** Whether another host of the pool may be chosen where this one would not do. */
  mayChoose: boolean;
}

/** `short`: if this host failed, no other could take these VMs. */
export type AdmissionAnswer = { host: string } | { short: { host: string; vms: string[] } };

const options: PlanOptions = { ...defaultOptions, threshold: 1 };

export function admitStart({ reports, vm, host, mayChoose }: AdmissionQuestion): AdmissionAnswer {
  const pool = poolForFailures(reports, vm);
  const compiled = compile(pool, options);
  const { problem, hostIndex, vmIndex } = compiled;
  const index = vmIndex.get(vm.name) ?? -1;
  const wanted = hostIndex.get(host) ?? -1;
  const never = [...restartTerms(reports.rules)].flatMap(([id, { priority }]) =>
    priority === "never" ? [id] : [],
  );
  const names = [...reports.vms, vm].flatMap(({ id, name }) => (never.includes(id) ? [name] : []));
  const unprotected = names.flatMap((name) => vmIndex.get(name) ?? []);
  const lossAt = (at: number) => {
    const hostOf = Int32Array.from(problem.origin);
    hostOf[index] = at;
    return admitFailures(
      problem,
      hostOf,
      undefined,
      new Set([...unprotected, ...boundVms(compiled, hostOf)]),
    );
  };
  const first = lossAt(wanted);
  if (first.survives) return { host };
  const others = mayChoose ? pool.hosts.flatMap((_, at) => (at === wanted ? [] : [at])) : [];
  for (;;) {
    // Of one problem only the state that was made last is in use.
    const best = bestShift(new State(problem), index, others);
    if (best === undefined) break;
    if (lossAt(best.to).survives) return { host: pool.hosts[best.to]?.name ?? host };
    others.splice(others.indexOf(best.to), 1);
  }
  const vms = first.vms.map((one) => pool.vms[one]?.name ?? "").sort();
  return { short: { host: pool.hosts[first.host]?.name ?? host, vms } };
}

/** VMs that could run on no other host than theirs, however much room it had. */
function boundVms({ problem }: Compiled, hostOf: Int32Array): number[] {
  // A pool of one host has no room for any of them.
  if (problem.hosts === 1) return [];
  const terms = problem.vmTerms.filter((term) => term.hard && !(term instanceof LeaveHost));
  const hosts = Array.from({ length: problem.hosts }, (_, host) => host);
  return Array.from({ length: problem.vms }, (_, vm) => vm).filter((vm) =>
    hosts.every((host) => host === hostOf[vm] || terms.some((term) => term.cost(vm, host) > 0)),
  );
}
