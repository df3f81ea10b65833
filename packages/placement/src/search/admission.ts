/**
 * Whether the pool survives the loss of any one host: its VMs are packed onto the others, largest first, under every
 * cap and hard rule. A percentage of free capacity would not see that a large VM fits nowhere. "Yes" is always right:
 * a packing was found. "No" may be wrong in a very tight pool, where only an exhaustive search would find one.
 */
import type { Problem } from "./problem.ts";
import { State } from "./state.ts";

export interface FailureVerdict {
  survives: boolean;
  /** The first host whose VMs do not fit elsewhere, and those that do not. */
  host: number;
  vms: number[];
}

const survives: FailureVerdict = { survives: true, host: -1, vms: [] };

/**
 * @param hosts that may fail; undefined: any
 * @param exempt VMs that need no other host
 */
export function admitFailures(
  problem: Problem,
  hostOf: Int32Array,
  hosts?: readonly number[],
  exempt: ReadonlySet<number> = new Set(),
): FailureVerdict {
  const open = Uint8Array.from(problem.open);
  const groupTerms = problem.groupTerms.filter(({ hard }) => hard);
  const state = new State(
    {
      ...problem,
      open,
      hostTerms: [],
      poolTerms: [],
      groupTerms,
      movable: new Uint8Array(problem.vms).fill(1),
    },
    hostOf,
  );
  for (const host of hosts ?? Array.from({ length: problem.hosts }, (_, one) => one)) {
    const wasOpen = open[host] as number;
    open[host] = 0;
    let left = pack(state, host, firstFit, exempt);
    if (left.length > 0) left = pack(state, host, bestFit, exempt);
    open[host] = wasOpen;
    if (left.length > 0) return { survives: false, host, vms: left };
  }
  return survives;
}

/** @returns VMs that fit nowhere; the state is as before */
function pack(
  state: State,
  host: number,
  choose: (state: State, vm: number, host: number) => number,
  exempt: ReadonlySet<number>,
): number[] {
  const vms = state
    .membersOf(host)
    .filter((vm) => !exempt.has(vm))
    .sort((a, b) => sizeOf(state, b, host) - sizeOf(state, a, host) || a - b);
  const left: number[] = [];
  const packed: number[] = [];
  for (const vm of vms) {
    const to = choose(state, vm, host);
    if (to < 0) {
      left.push(vm);
      continue;
    }
    state.apply(vm, to);
    packed.push(vm);
  }
  for (const vm of packed.reverse()) state.apply(vm, host);
  return left;
}

/** Beginning behind the one that failed: in a pool with room the first one that is asked has some. */
function firstFit(state: State, vm: number, host: number): number {
  const { hosts } = state.problem;
  for (let step = 1; step < hosts; step += 1) {
    const to = (host + step) % hosts;
    if (state.shift(vm, to)) return to;
  }
  return -1;
}

function bestFit(state: State, vm: number): number {
  const { hosts } = state.problem;
  let best = -1;
  let least = Infinity;
  for (let to = 0; to < hosts; to += 1) {
    if (!state.shift(vm, to)) continue;
    const free = 1 - fullness(state, to);
    if (free < least) {
      least = free;
      best = to;
    }
  }
  return best;
}

/** The part of the host that a VM takes, of the resource of which it takes most. */
function sizeOf({ problem: { resources, demand, capacity } }: State, vm: number, host: number): number {
  let size = 0;
  for (let resource = 0; resource < resources; resource += 1) {
    const cap = capacity[host * resources + resource] as number;
    if (cap > 0 && cap < Infinity) size = Math.max(size, (demand[vm * resources + resource] as number) / cap);
  }
  return size;
}

function fullness({ problem: { resources, capacity }, usage }: State, host: number): number {
  let full = 0;
  for (let resource = 0; resource < resources; resource += 1) {
    const cap = capacity[host * resources + resource] as number;
    if (cap > 0 && cap < Infinity)
      full = Math.max(full, (usage[host * resources + resource] as number) / cap);
  }
  return full;
}
