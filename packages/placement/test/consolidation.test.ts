/** A pool that saves power: what it does with one host at a time, and a day of loads in which it never goes back and forth. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  consolidate,
  settleSeconds,
  type ConsolidationHost,
  type ConsolidationQuestion,
} from "../src/consolidation.ts";
import { planPool } from "../src/plan/plan-pool.ts";
import { defaultOptions, type Pool, type PoolHost, type PoolVm } from "../src/plan/pool.ts";
import { supposed } from "../src/plan/what-if.ts";
import { Random } from "../src/search/random.ts";
import { GiB, host, vm } from "./plan/pools.ts";

const at = "2026-01-01T00:00:00.000Z";
const power = { state: null, pool: null, wokeAt: at, wakeFailure: null };
const standby = { ...power, state: "standby", pool: "east" } as const;
const fact = (name: string, more: Partial<ConsolidationHost> = {}): ConsolidationHost => ({
  ...{ name, isUp: true, maintenance: "off", power, emptied: null, poweredOff: null },
  ...{ failedSeconds: null, certificateEnds: false },
  ...more,
});
const asleep = (name: string, more: Partial<ConsolidationHost> = {}): ConsolidationHost =>
  fact(name, {
    ...{ isUp: false, maintenance: "on", power: standby, emptied: "succeeded", poweredOff: "succeeded" },
    ...more,
  });
const closed = { state: "closed" } as const;
const policy = { minHosts: 2, targetPercent: 63, stableSeconds: 600 };

/** Hosts a, b and c; a small VM on each. */
const question = (more: Partial<ConsolidationQuestion> = {}): ConsolidationQuestion => ({
  pool: {
    hosts: [host("a"), host("b"), host("c")],
    vms: [vm("v1", "a"), vm("v2", "b", { load: { mean: 1, deviation: 0 } }), vm("v3", "c")],
    rules: [],
  },
  ...{ name: "east", hosts: [fact("a"), fact("b"), fact("c")], policy },
  ...{ candidate: null, wokenSeconds: null, shortage: null },
  ...more,
});
const withHost = (name: string, more: Partial<ConsolidationHost>): Partial<ConsolidationQuestion> => ({
  hosts: ["a", "b", "c"].map((one) => fact(one, one === name ? more : {})),
});
/** c is in standby. */
const slept = (more: Partial<ConsolidationQuestion> = {}, load = 0.5): ConsolidationQuestion =>
  question({
    pool: {
      hosts: [host("a"), host("b"), host("c", closed)],
      vms: [vm("v1", "a"), vm("v2", "b", { vcpus: 16, load: { mean: load, deviation: 0 } })],
      rules: [],
    },
    hosts: [fact("a"), fact("b"), asleep("c")],
    ...more,
  });
const said = (one: ConsolidationQuestion) => {
  const { step, candidate } = consolidate(one);
  return [step.do, step.host, candidate];
};
const whyOf = (one: ConsolidationQuestion, name: string) =>
  consolidate(one).hosts.find((each) => each.host === name)?.reason;

test("the least used host goes once its VMs have fitted elsewhere for the stable time, and stays chosen meanwhile", () => {
  expect(said(question())).toEqual(["soon", "a", "a"]);
  expect(said(question({ candidate: { host: "c", seconds: 599 } }))).toEqual(["soon", "c", "c"]);
  expect(said(question({ candidate: { host: "c", seconds: 600 } }))).toEqual(["empty", "c", "c"]);
  expect(
    said(question({ candidate: { host: "a", seconds: 600 }, ...withHost("a", { power: null }) })),
  ).toEqual([...["soon", "c", "c"]]);
});

test.each<[string, Partial<ConsolidationHost>, string]>([
  ["no controller", { power: null }, "the server does not control its power"],
  [
    "a wake that nobody has seen",
    { power: { ...power, wokeAt: null } },
    "it has not shown yet that it wakes",
  ],
  [
    "a wake that failed",
    { power: { ...power, wakeFailure: { at, reason: "its agent does not answer" } } },
    "it did not wake when that was tried last",
  ],
  ["maintenance", { maintenance: "on" }, "it is in maintenance"],
  ["a failure lately", { failedSeconds: 3000 }, "it could not be powered off less than an hour ago"],
  ["silence", { isUp: false }, "it does not answer"],
])("a host is never chosen with %s", (_, more, reason) => {
  const asked = question({ ...withHost("a", more), candidate: { host: "a", seconds: 9999 } });
  expect(said(asked)).toEqual(["soon", "c", "c"]);
  expect(whyOf(asked, "a")).toContain(reason);
});

test("nothing goes below the least number, within an hour of a wake, beyond the target, or without room for a failure", () => {
  const ready = { candidate: { host: "a", seconds: 9999 } };
  expect(said(question({ ...ready, policy: { ...policy, minHosts: 3 } }))).toEqual(["nothing", null, null]);
  expect(said(question({ ...ready, wokenSeconds: settleSeconds - 1 }))).toEqual(["nothing", null, null]);
  expect(said(question({ ...ready, wokenSeconds: settleSeconds }))[0]).toBe("empty");
  const busy = (mean: number, more: Partial<PoolVm> = {}): Pool => ({
    hosts: [host("a"), host("b"), host("c")],
    vms: ["a", "b", "c"].map((on) =>
      vm(`on-${on}`, on, { vcpus: 16, load: { mean, deviation: 0 }, ...more }),
    ),
    rules: [],
  });
  expect(said(question({ ...ready, pool: busy(7) }))).toEqual(["nothing", null, null]);
  expect(whyOf(question({ ...ready, pool: busy(7) }), "a")).toBe(
    "without it the VMs are predicted to use 66 % of the cores",
  );
  expect(said(question({ ...ready, pool: busy(5, { memoryBytes: 36 * GiB }) }))).toEqual([
    "nothing",
    null,
    null,
  ]);
  // VMs that are not measured may use all that they have.
  expect(said(question({ ...ready, pool: busy(0.1, { unmeasured: "not known yet" }) }))).toEqual([
    ...["nothing", null, null],
  ]);
  const bound = busy(0.5, { bound: "a device of the host" });
  expect(whyOf(question({ ...ready, pool: bound }), "a")).toBe("no other host has room for its VM on-a");
  const apart: Pool = {
    ...busy(0.5),
    rules: [{ name: "apart", kind: "keepApart", of: "host", hard: true, vms: ["on-a", "on-b", "on-c"] }],
  };
  expect(said(question({ ...ready, pool: apart }))).toEqual(["nothing", null, null]);
});

test("a host in standby is woken for load, a failure that would not be borne, a VM without room, hosts that are to stay on, or its certificate", () => {
  expect(said(slept())).toEqual(["nothing", null, null]);
  expect(said(slept({}, 26.5))).toEqual(["wake", "c", null]);
  expect(said(slept({ policy: { ...policy, minHosts: 3 } }))).toEqual(["wake", "c", null]);
  expect(said(slept({ shortage: "VM web-9 may not start" }))).toEqual(["wake", "c", null]);
  expect(said(slept({ hosts: [fact("a"), fact("b"), asleep("c", { certificateEnds: true })] }))).toEqual([
    ...["wake", "c", null],
  ]);
  const one = slept({ hosts: [fact("a"), fact("b", { isUp: false }), asleep("c")] });
  const lost = { ...one.pool, hosts: [host("a"), host("b", closed), host("c", closed)] };
  expect(said({ ...one, pool: lost })).toEqual(["wake", "c", null]);
});

test("one that did not wake, that another pool or an operator powered off, or that wakes already is not woken", () => {
  const failed = { ...standby, wakeFailure: { at, reason: "late" } };
  for (const other of [failed, { ...standby, pool: "west" }, { ...standby, pool: null }])
    expect(said(slept({ hosts: [fact("a"), fact("b"), asleep("c", { power: other })] }, 26.5))[0]).toBe(
      "nothing",
    );
  const waking = asleep("c", { power: { ...standby, state: "waking" } });
  expect(said(slept({ hosts: [fact("a"), fact("b"), waking] }, 26.5))).toEqual(["wait", "c", null]);
});

test("what was emptied is powered off, or taken back where it is needed, failed, or was switched on by hand", () => {
  const emptied = { maintenance: "on", emptied: "succeeded" } as const;
  const off = (more: Partial<ConsolidationHost>, load?: number) =>
    said(slept({ hosts: [fact("a"), fact("b"), fact("c", { ...emptied, ...more })] }, load));
  expect(off({})).toEqual(["off", "c", null]);
  expect(off({}, 26.5)).toEqual(["takeBack", "c", null]);
  expect(off({ poweredOff: "under way" })).toEqual(["wait", "c", null]);
  expect(off({ poweredOff: "failed" })).toEqual(["takeBack", "c", null]);
  expect(off({ poweredOff: "succeeded" })).toEqual(["takeBack", "c", null]);
  expect(off({ emptied: "failed", maintenance: "entering" })).toEqual(["takeBack", "c", null]);
  expect(off({ emptied: null })[0]).toBe("nothing"); // an operator's
});

/** A pool as it lives: hosts go and come, VMs move, and their load changes. */
class Life {
  readonly hosts: (ConsolidationHost & { cores: number; doneAt: number; wokenAt: number; offAt: number })[];
  vms: PoolVm[];
  wokenAt = -Infinity;
  candidate: { host: string; since: number } | null = null;

  constructor(hosts: readonly PoolHost[], vms: PoolVm[]) {
    this.hosts = hosts.map(({ name, cores }) => ({
      ...{ ...fact(name), cores, doneAt: Infinity, wokenAt: -Infinity, offAt: -Infinity },
    }));
    this.vms = vms;
  }

  get pool(): Pool {
    const hosts = this.hosts.map(({ name, maintenance, isUp, cores }) =>
      host(name, {
        cores,
        state: isUp && maintenance === "off" ? "open" : maintenance === "entering" ? "leaving" : "closed",
      }),
    );
    return { hosts, vms: this.vms, rules: [] };
  }

  ask(now: number, of = policy): ReturnType<typeof consolidate> {
    const { candidate } = this;
    const answer = consolidate({
      ...{ pool: this.pool, name: "east", hosts: this.hosts, policy: of, shortage: null },
      candidate: candidate === null ? null : { host: candidate.host, seconds: now - candidate.since },
      wokenSeconds: this.wokenAt === -Infinity ? null : now - this.wokenAt,
    });
    this.candidate =
      answer.candidate === null
        ? null
        : { host: answer.candidate, since: candidate?.host === answer.candidate ? candidate.since : now };
    return answer;
  }

  /** What was started has ended by now. */
  settle(now: number): void {
    for (const one of this.hosts) {
      if (now < one.doneAt) continue;
      one.doneAt = Infinity;
      if (one.emptied === "under way") {
        const plan = planPool(supposed(this.pool, { without: [], add: [] }), {
          ...defaultOptions,
          threshold: 1,
        });
        expect(plan.stuck).toEqual([]);
        const to = new Map(plan.moves.map((move) => [move.vm, move.to]));
        this.vms = this.vms.map((each) => ({ ...each, host: to.get(each.name) ?? each.host }));
        Object.assign(one, { emptied: "succeeded", maintenance: "on" });
      } else if (one.poweredOff === "under way") {
        Object.assign(one, { poweredOff: "succeeded", isUp: false, power: standby, offAt: now });
        expect(this.vms.some(({ host: on }) => on === one.name)).toBe(false);
      } else {
        Object.assign(one, {
          isUp: true,
          maintenance: "off",
          power,
          poweredOff: null,
          emptied: null,
          wokenAt: now,
        });
        this.wokenAt = now;
      }
    }
  }

  begin({ step }: ReturnType<typeof consolidate>, now: number): void {
    const one = this.hosts.find(({ name }) => name === step.host);
    if (one === undefined) return;
    if (step.do === "empty" || step.do === "off" || step.do === "wake") one.doneAt = now + 240;
    if (step.do === "empty") Object.assign(one, { emptied: "under way", maintenance: "entering" });
    else if (step.do === "off") one.poweredOff = "under way";
    else if (step.do === "wake") one.power = { ...standby, state: "waking" };
    else if (step.do === "takeBack") Object.assign(one, { maintenance: "off", emptied: null });
  }
}

test("over a day of any load: one host at a time, never too few, no VM without room, and none off again within an hour of its wake", () => {
  const started = { empty: 0, off: 0, wake: 0 };
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e6 }), (seed) => {
      const random = new Random(seed);
      const count = 3 + random.below(3);
      const hosts = Array.from({ length: count }, (_, index) => host(`h${String(index)}`));
      const vms = Array.from({ length: count * 2 }, (_, index) =>
        vm(`v${String(index)}`, `h${String(index % count)}`, { vcpus: 8 }),
      );
      const life = new Life(hosts, vms);
      const phase = random.next() * 86_400;
      for (let now = 0; now < 86_400; now += 120) {
        life.settle(now);
        const wave = 2 + 2 * Math.sin(((now + phase) / 86_400) * 12 * Math.PI);
        life.vms = life.vms.map((one) => ({
          ...one,
          load: { mean: wave + random.next(), deviation: 0.3 },
        }));
        const changing = life.hosts.filter(({ doneAt }) => doneAt !== Infinity).length;
        const answer = life.ask(now);
        if (answer.step.do === "empty" || answer.step.do === "wake" || answer.step.do === "off")
          expect(changing).toBe(0);
        const of = life.hosts.find(({ name }) => name === answer.step.host);
        if (answer.step.do === "empty") {
          expect(now - (of?.wokenAt ?? 0)).toBeGreaterThanOrEqual(settleSeconds);
          expect(life.pool.hosts.filter(({ state }) => state === "open").length).toBeGreaterThan(
            policy.minHosts,
          );
        }
        if (answer.step.do === "wake") expect(of?.power).toEqual(standby);
        if (changing > 0) continue;
        life.begin(answer, now);
        const what = answer.step.do;
        if (what === "empty" || what === "off" || what === "wake") started[what] += 1;
      }
    }),
    { numRuns: 12 },
  );
  // It is a life, and not all day the same.
  expect(Math.min(started.empty, started.off, started.wake)).toBeGreaterThan(12);
});
