/**
 * Beloglazov's and Buyya's policy with a static threshold and minimum migration time (CPE 24(13), 2012), as CloudSim 3.0.3 has it: hosts
 * above the threshold give VMs away, the least loaded are emptied, and each VM goes where it adds the least power. It is here to
 * validate the model, and as what ours is compared with.
 */
import type { Datacenter, Host, Vm } from "../datacenter.ts";
import { wattsAt } from "../model.ts";
import type { Move, Policy } from "../policy.ts";

/** What hosts would carry; what a host takes of power is still what it was at the round's beginning. */
class Draft {
  readonly #threshold: number;
  readonly #memoryCounts: boolean;
  readonly #vms: Set<Vm>[];

  constructor({ hosts }: Datacenter, threshold: number, memoryCounts: boolean) {
    this.#threshold = threshold;
    this.#memoryCounts = memoryCounts;
    this.#vms = hosts.map(({ vms }) => new Set(vms));
  }

  vmsOn(host: Host): Set<Vm> {
    return this.#vms[host.index] as Set<Vm>;
  }

  wanted(host: Host): number {
    let sum = 0;
    for (const vm of this.vmsOn(host)) sum += vm.requested;
    return sum;
  }

  isOver(host: Host, more = 0): boolean {
    return (this.wanted(host) + more) / host.mips > this.#threshold;
  }

  /** The host to which it adds the least power; undefined: none has room. */
  target(hosts: readonly Host[], vm: Vm, excluded: ReadonlySet<Host>): Host | undefined {
    let best: Host | undefined;
    let least = Infinity;
    for (const host of hosts) {
      if (excluded.has(host)) continue;
      const used = this.wanted(host);
      if (vm.requested > host.type.mipsPerCore || used + vm.requested > host.mips) continue;
      if (this.#memoryCounts && !this.#hasMemory(host, vm)) continue;
      if (used !== 0 && this.isOver(host, vm.requested)) continue;
      const added = wattsAt(host.type, (used + vm.requested) / host.mips) - wattsAt(host.type, host.use);
      if (added >= least) continue;
      least = added;
      best = host;
    }
    return best;
  }

  #hasMemory(host: Host, vm: Vm): boolean {
    let memory = vm.type.memoryMb;
    for (const other of this.vmsOn(host)) memory += other.type.memoryMb;
    return memory <= host.type.memoryMb;
  }
}

const byWish = (vms: Iterable<Vm>): Vm[] => [...vms].sort((a, b) => b.requested - a.requested);

function relieve(center: Datacenter, draft: Draft, over: readonly Host[]): Move[] {
  const leaving: Vm[] = [];
  for (const host of over) {
    const vms = draft.vmsOn(host);
    while (draft.isOver(host) && vms.size > 0) {
      const [first] = [...vms].sort((a, b) => a.type.memoryMb - b.type.memoryMb);
      if (first === undefined) break;
      vms.delete(first);
      leaving.push(first);
    }
  }
  const moves: Move[] = [];
  const excluded = new Set(over);
  for (const vm of byWish(leaving)) {
    const to = draft.target(center.hosts, vm, excluded);
    if (to === undefined) continue;
    draft.vmsOn(to).add(vm);
    moves.push({ vm, to });
  }
  return moves;
}

function empty(center: Datacenter, draft: Draft, over: readonly Host[]): Move[] {
  const moves: Move[] = [];
  const off = center.hosts.filter(({ use }) => use === 0);
  const left = new Set([...over, ...off]);
  const noTargets = new Set([...over, ...off]);
  for (;;) {
    const [host] = center.hosts.filter((one) => one.use > 0 && !left.has(one)).sort((a, b) => a.use - b.use);
    if (host === undefined) return moves;
    left.add(host);
    noTargets.add(host);
    const found: Move[] = [];
    const vms = byWish(draft.vmsOn(host));
    for (const vm of vms) {
      const to = draft.target(center.hosts, vm, noTargets);
      if (to === undefined) break;
      draft.vmsOn(to).add(vm);
      found.push({ vm, to });
    }
    if (found.length < vms.length) {
      for (const { vm, to } of found) draft.vmsOn(to).delete(vm);
      continue;
    }
    moves.push(...found);
    for (const { to } of found) left.add(to);
  }
}

export const thrMmt = (threshold: number): Policy => ({
  name: `thr_mmt_${String(threshold)}`,
  first: (center, vm) => {
    const to = new Draft(center, threshold, true).target(center.hosts, vm, new Set());
    if (to === undefined) throw new Error(`No host has room for VM ${String(vm.index)}.`);
    return to;
  },
  round: (center) => {
    const draft = new Draft(center, threshold, false);
    const over = center.hosts.filter((host) => draft.isOver(host));
    // As there, a host that has just been given a VM may be emptied: the VM then migrates twice.
    return [...relieve(center, draft, over), ...empty(center, draft, over)];
  },
});
