/**
 * The planner: every five minutes it plans the hosts that are on, with what it forecasts of each VM from the last two hours. Hosts that the
 * forecast does not need are emptied, all that are too many at once and then one at a time; where the VMs want more than there is, an
 * empty host is offered to the plan.
 */
import {
  defaultOptions,
  forecast,
  planPool,
  type LoadForecast,
  type PlanOptions,
  type Pool,
} from "../../../../packages/placement/src/index.ts";
import type { Datacenter, Host, Vm } from "../datacenter.ts";
import { moveSeconds } from "../model.ts";
import { firstFit, type Move, type Policy } from "../policy.ts";
import { sampleSeconds } from "../traces.ts";

export interface OurOptions {
  /** Of the CPUs of the hosts that stay on, what all VMs together may be forecast to want. */
  level: number;
  /** Hosts are emptied only where so many more are on than are needed. */
  slack: number;
  threshold: PlanOptions["threshold"];
  settleSeconds: number;
}

const keptSamples = 24;
const plenty = 2 ** 50;

export function ours(options: OurOptions): Policy {
  const history = new Map<Vm, number[]>();
  const movedAt = new Map<Vm, number>();
  const remember = (vms: readonly Vm[]) => {
    for (const vm of vms) history.set(vm, [vm.requested, ...(history.get(vm) ?? [])].slice(0, keptSamples));
  };
  return {
    name: "ours",
    first: firstFit,
    round: (center, seconds) => {
      remember(center.vms);
      const loads = new Map(center.vms.map((vm) => [vm, loadOf(history.get(vm) ?? [])]));
      const pool = poolOf(center, loads, { options, seconds, movedAt });
      const { moves } = planPool(pool, {
        ...defaultOptions,
        ...{ threshold: options.threshold, settleSeconds: options.settleSeconds, admission: false },
      });
      const byName = new Map(center.vms.map((vm) => [`vm-${String(vm.index)}`, vm]));
      return moves.flatMap(({ vm: name, to }): Move[] => {
        const vm = byName.get(name);
        const host = center.hosts[Number(to.slice(5))];
        if (vm === undefined || host === undefined) return [];
        movedAt.set(vm, seconds);
        return [{ vm, to: host }];
      });
    },
  };
}

const loadOf = (mips: readonly number[]): LoadForecast =>
  forecast(
    mips.map((value, index) => ({ age: index * sampleSeconds, value: value / 1000, seconds: sampleSeconds })),
  ) ?? { mean: 0, deviation: 0 };

interface Moment {
  options: OurOptions;
  seconds: number;
  movedAt: ReadonlyMap<Vm, number>;
}

function poolOf(
  center: Datacenter,
  loads: ReadonlyMap<Vm, LoadForecast>,
  { options, seconds, movedAt }: Moment,
): Pool {
  const on = center.hosts.filter(({ vms }) => vms.size > 0);
  const wanted = [...loads.values()].reduce((sum, { mean }) => sum + mean, 0);
  const leaving = tooMany(on, wanted, options);
  const isShort = leaving.size === 0 && on.some(({ vms, mips }) => wantedBy(vms) > mips);
  const spare = isShort
    ? center.hosts.filter(({ vms, type }) => vms.size === 0 && type.mipsPerCore > 2500)
    : [];
  return {
    hosts: [...on, ...spare.slice(0, 1)].map((host) => ({
      ...{ name: `host-${String(host.index)}`, cores: host.mips / 1000, memoryBytes: plenty },
      state: leaving.has(host) ? "leaving" : "open",
    })),
    vms: center.vms.map((vm) => ({
      ...{ name: `vm-${String(vm.index)}`, host: `host-${String(vm.host.index)}` },
      ...{ vcpus: vm.type.mips / 1000, memoryBytes: 1, activeBytes: 1, load: loads.get(vm) ?? null },
      move: { seconds: moveSeconds(vm.type), slowdown: 0.1, outageSeconds: 0 },
      movedBefore: seconds - (movedAt.get(vm) ?? -plenty),
    })),
    rules: [],
  };
}

const wantedBy = (vms: ReadonlySet<Vm>): number =>
  [...vms].reduce((sum, { requested }) => sum + requested, 0);

/** Those that are not needed: the small ones first, then those with the least on them. */
function tooMany(on: readonly Host[], wanted: number, { level, slack }: OurOptions): Set<Host> {
  const kept = [...on].sort(
    (a, b) => b.mips - a.mips || wantedBy(b.vms) - wantedBy(a.vms) || a.index - b.index,
  );
  let room = 0;
  let needed = 0;
  while (needed < kept.length && room < wanted) room += ((kept[needed++] as Host).mips / 1000) * level;
  const least = Math.ceil(needed * (1 + slack));
  if (kept.length <= least) return new Set();
  return new Set(kept.slice(kept.length > 2 * needed ? needed : kept.length - 1));
}
