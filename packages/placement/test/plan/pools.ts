/** Pools made by chance, from a seed, and what a plan must never do with one. */
import { expect } from "vitest";
import type { Plan } from "../../src/plan/plan-pool.ts";
import type { Pool, PoolHost, PoolVm, Rule } from "../../src/plan/pool.ts";
import { Random } from "../../src/search/random.ts";

export const GiB = 2 ** 30;

export const host = (name: string, more: Partial<PoolHost> = {}): PoolHost => ({
  ...{ name, cores: 16, memoryBytes: 64 * GiB, state: "open" as const },
  ...more,
});

export const vm = (name: string, on: string | null, more: Partial<PoolVm> = {}): PoolVm => ({
  ...{
    name,
    host: on,
    vcpus: 4,
    memoryBytes: 4 * GiB,
    load: { mean: 0.5, deviation: 0.1 },
    activeBytes: 2 * GiB,
  },
  move: { seconds: 10, slowdown: 0.1, outageSeconds: 0.05 },
  ...more,
});

/** A skewed pool of hosts of two sizes, with rules of every kind; VMs are within what their hosts bear. */
export function randomPool(seed: number, most = { hosts: 6, vms: 24 }): Pool {
  const random = new Random(seed);
  const hosts = Array.from({ length: 2 + random.below(most.hosts - 1) }, (_, index) =>
    host(`h${String(index)}`, {
      memoryBytes: (random.next() < 0.5 ? 64 : 96) * GiB,
      faultDomain: `rack ${String(index % 2)}`,
      ...(random.next() < 0.2 ? { maxVms: 8 } : {}),
      state: random.next() < 0.8 ? "open" : random.next() < 0.5 ? "leaving" : "closed",
    }),
  );
  const used = hosts.map(() => ({ bytes: 0, count: 0 }));
  const vms: PoolVm[] = [];
  for (let index = 0; index < random.below(most.vms + 1); index += 1) {
    const memoryBytes = (2 + random.below(15)) * GiB;
    const on = Math.floor(hosts.length * random.next() ** 2);
    const load = used[on] as { bytes: number; count: number };
    const { name, memoryBytes: size, maxVms } = hosts[on] as PoolHost;
    if (load.bytes + memoryBytes > size || load.count + 1 > (maxVms ?? Infinity)) continue;
    load.bytes += memoryBytes;
    load.count += 1;
    const mean = 3 * random.next() ** 2;
    vms.push(
      vm(`v${String(index)}`, random.next() < 0.05 ? null : name, {
        memoryBytes,
        load: { mean, deviation: mean * random.next() },
        activeBytes: memoryBytes * random.next(),
        ...(random.next() < 0.1 ? { movedBefore: 60 } : {}),
        ...(random.next() < 0.05 ? { bound: "a device of the host" } : {}),
      }),
    );
  }
  const some = (count: number) =>
    Array.from({ length: count }, () => vms[random.below(vms.length)]?.name ?? "none").filter(
      (name, index, all) => all.indexOf(name) === index,
    );
  const rules: Rule[] = [
    { kind: "keepTogether", name: "pair", hard: random.next() < 0.5, vms: some(2) },
    { kind: "keepApart", name: "apart", hard: random.next() < 0.7, vms: some(3), of: "host" },
    { kind: "spread", name: "racks", hard: random.next() < 0.7, vms: some(3), faultDomains: 2 },
    {
      kind: "vmHost",
      name: "licence",
      hard: random.next() < 0.5,
      vms: some(2),
      hosts: ["h0", "h1"],
      where: "on",
    },
  ].filter(() => random.next() < 0.5) as Rule[];
  return { hosts, vms, rules };
}

/** Violations of one hard rule by a placement, counted the slow way. */
export function violationsOf(pool: Pool, rule: Rule, hostOf: ReadonlyMap<string, string | null>): number {
  const on = rule.vms.flatMap((name) => hostOf.get(name) ?? []);
  const racks = on.map((name) => pool.hosts.find((one) => one.name === name)?.faultDomain ?? name);
  switch (rule.kind) {
    case "keepTogether":
      return Math.max(0, new Set(on).size - 1);
    case "keepApart":
      return rule.of === "host" ? on.length - new Set(on).size : racks.length - new Set(racks).size;
    case "spread":
      return Math.max(0, rule.faultDomains - new Set(racks).size);
    case "vmHost":
      return on.filter((name) => rule.hosts.includes(name) === (rule.where === "off")).length;
  }
}

/**
 * Plays a plan in an order that its `after` allows, chosen by chance, with moves side by side: at every moment each VM
 * that moves counts at both hosts, and no host bears more than it may.
 */
export function play(pool: Pool, plan: Plan, seed: number): Map<string, string | null> {
  const random = new Random(seed);
  const hostOf = new Map(pool.vms.map((one) => [one.name, one.host]));
  const byName = new Map(pool.vms.map((one) => [one.name, one]));
  const state = plan.moves.map(() => "waiting");
  const strict = pool.rules.filter((rule) => rule.hard && rule.kind !== "keepTogether");
  const broken = () => strict.map((rule) => violationsOf(pool, rule, hostOf));
  let before = broken();
  for (const one of plan.moves) {
    expect(one.from, one.vm).toBe(hostOf.get(one.vm));
    expect(pool.hosts.find(({ name }) => name === one.to)?.state, one.to).toBe("open");
    expect(byName.get(one.vm)?.bound).toBeUndefined();
  }
  for (;;) {
    const can = plan.moves.flatMap((one, index) =>
      state[index] === "waiting" && one.after.every((other) => state[other] === "done") ? [index] : [],
    );
    const moving = state.flatMap((one, index) => (one === "moving" ? [index] : []));
    if (can.length === 0 && moving.length === 0) break;
    if (can.length > 0 && (moving.length === 0 || random.next() < 0.6)) {
      state[can[random.below(can.length)] as number] = "moving";
      const under = plan.moves.filter((_, index) => state[index] === "moving");
      for (const one of pool.hosts) {
        const there = [...hostOf].filter(([, on]) => on === one.name).map(([name]) => name);
        const all = [...there, ...under.filter(({ to }) => to === one.name).map((move) => move.vm)];
        const bytes = all.reduce((sum, name) => sum + (byName.get(name)?.memoryBytes ?? 0), 0);
        if (!under.some(({ to }) => to === one.name)) continue;
        expect(bytes, one.name).toBeLessThanOrEqual(one.memoryBytes);
        expect(all.length, one.name).toBeLessThanOrEqual(one.maxVms ?? Infinity);
      }
    } else {
      const index = moving[random.below(moving.length)] as number;
      const move = plan.moves[index];
      if (move === undefined) break;
      state[index] = "done";
      hostOf.set(move.vm, move.to);
      const now = broken();
      for (const [rule, count] of now.entries())
        expect(count, strict[rule]?.name).toBeLessThanOrEqual(before[rule] ?? 0);
      before = now;
    }
  }
  expect(state.every((one) => one === "done")).toBe(true);
  return hostOf;
}
