import type { Lease, PauseReason, RestartPriority, TaskId, VmId, VmState } from "@godwit/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  hostsThatFailed,
  judgeDeath,
  judgeLease,
  orderRestarts,
  type PoolRule,
  type RestartFacts,
} from "../src/index.ts";

const nowMs = Date.parse("2026-11-28T12:00:00Z");
const hourMs = 3_600_000;

interface Given {
  state?: VmState;
  home?: RestartFacts["home"];
  pauseReason?: PauseReason | null;
  seenAt?: string;
  isBusy?: boolean;
  priority?: RestartPriority;
  tries?: number;
  lastMs?: number;
}

const facts = (given: Given = {}): RestartFacts => ({
  vm: {
    id: "11111111-1111-4111-8111-111111111111" as VmId,
    name: "web-1",
    state: given.state ?? "running",
    pauseReason: given.pauseReason ?? null,
    seenAt: given.seenAt ?? "2026-11-28T11:59:00.000Z",
  },
  ...{ host: "a", home: given.home ?? "silent", nowMs, sinceMs: nowMs - hourMs },
  ...{ isBusy: given.isBusy ?? false, priority: given.priority ?? "medium" },
  recent: Array.from({ length: given.tries ?? 0 }, () => ({
    ...{ vmId: "11111111-1111-4111-8111-111111111111", task: "t" as TaskId, host: "b", failed: true },
    endedAtMs: given.lastMs ?? nowMs - hourMs / 2,
  })),
});

const holder = (change: Partial<Lease["holders"][number]> = {}) => ({
  ...{ host: "a", mode: "EX" as const, since: null, fresh: false, freeInMs: 0 },
  ...change,
});

describe("which VM has died", () => {
  test.each<[string, Given, string | null]>([
    ["runs on a host that answers", { home: "connected" }, null],
    ["stopped, on a silent host", { state: "stopped" }, null],
    ["ran on a silent host", {}, "ready"],
    ["its process is gone, its host answers", { state: "lost", home: "connected" }, "ready"],
    ["stands still for an I/O error on a silent host", { state: "paused", pauseReason: "io-error" }, "ready"],
    ["paused by a user on a silent host", { state: "paused", pauseReason: "user" }, "left"],
    ["its guest had shut down", { state: "paused", pauseReason: "shutdown" }, "left"],
    ["was being stopped", { state: "stopping" }, "left"],
    ["has a task", { isBusy: true }, "soon"],
    ["never, by a rule", { priority: "never" }, "left"],
    ["lost before the pool restarted VMs", { state: "lost", seenAt: "2026-11-27T00:00:00.000Z" }, "left"],
    ["tried three times", { tries: 3 }, "left"],
    ["tried a moment ago", { tries: 1, lastMs: nowMs - 1000 }, "soon"],
    ["tried a while ago", { tries: 2 }, "ready"],
  ])("%s", (_, given, state) => {
    expect(judgeDeath(facts(given))?.state ?? null).toBe(state);
  });
});

describe("what its lease says", () => {
  test.each<[string, Given, Parameters<typeof judgeLease>[1], string, string]>([
    ["could not be read", {}, { unread: "no host sees it" }, "held", "not known: no host sees it"],
    ["its host renews it", {}, { holders: [holder({ fresh: true })] }, "held", "may run there"],
    ["another host has it", {}, { holders: [holder({ host: "b", fresh: true })] }, "held", "host b holds"],
    ["not free yet", {}, { holders: [holder({ freeInMs: 94_200 })] }, "soon", "free in 95 s"],
    ["kept where nobody proves its end", {}, { holders: [holder({ freeInMs: null })] }, "held", "not known"],
    ["run out", {}, { holders: [holder()] }, "ready", ""],
    ["given back by a silent host", {}, { holders: [] }, "held", "gave its lease back"],
    ["broken, and not taken since", {}, { holders: [], version: 2_000_000_000 }, "ready", ""],
    [
      "broken long ago, and given back",
      {},
      { holders: [], version: 1_000_000_003 },
      "held",
      "gave its lease back",
    ],
    ["given back by a host that answers", { state: "lost", home: "connected" }, { holders: [] }, "ready", ""],
    [
      "one of two has not run out",
      {},
      { holders: [holder(), holder({ host: "b", freeInMs: 5000 })] },
      "soon",
      "5 s",
    ],
  ])("%s", (_, given, lease, state, reason) => {
    const verdict = judgeLease(facts(given), lease);
    expect(verdict.state).toBe(state);
    expect(verdict.reason).toContain(reason);
  });

  test("a VM waits for its lease alone only where its silent host is the only holder", () => {
    const waits = (given: Given, ...holders: ReturnType<typeof holder>[]) =>
      judgeLease(facts(given), { holders }).waitsForLease === true;
    expect(waits({}, holder({ freeInMs: 90_000 }))).toBe(true);
    expect(waits({ home: "connected", state: "lost" }, holder({ freeInMs: 90_000 }))).toBe(false);
    expect(waits({}, holder({ host: "b", freeInMs: 90_000 }))).toBe(false);
    expect(waits({}, holder({ freeInMs: 90_000 }), holder({ host: "b", freeInMs: 90_000 }))).toBe(false);
    expect(waits({}, holder({ freeInMs: 90_000 }), holder({ host: "b", fresh: true }))).toBe(false);
    expect(waits({}, holder())).toBe(false);
  });

  test("a VM is never ready while any holder renews its lease, or may still have time", () => {
    const anyHolder = fc.record({
      host: fc.constantFrom("a", "b", "c"),
      mode: fc.constantFrom("EX" as const, "SH" as const),
      since: fc.constant(null),
      fresh: fc.boolean(),
      freeInMs: fc.option(fc.integer({ min: -10, max: 200_000 })),
    });
    fc.assert(
      fc.property(
        fc.array(anyHolder, { maxLength: 3 }),
        fc.constantFrom<VmState>("running", "paused", "lost", "starting"),
        fc.constantFrom<RestartFacts["home"]>("connected", "silent"),
        (holders, state, home) => {
          if (judgeLease(facts({ state, home }), { holders }).state !== "ready") return;
          for (const { fresh, freeInMs } of holders) {
            expect(fresh).toBe(false);
            expect(freeInMs).toBeLessThanOrEqual(0);
          }
          if (holders.length === 0) expect(state === "lost" || home === "connected").toBe(true);
        },
      ),
    );
  });
});

const rule = (
  name: string,
  vms: string[],
  terms: Partial<Extract<PoolRule["terms"], { kind: "restart" }>> = {},
): PoolRule => ({
  ...{ pool: "east", name, hosts: [], vms: vms.map((id) => ({ id: id as VmId, name: id })) },
  terms: { kind: "restart", priority: "medium", ...terms },
});
const candidate = (
  vmId: string,
  priority: RestartPriority,
  state: "ready" | "soon" | "held" | "left" = "ready",
) => ({
  ...{ vmId, priority, state, reason: "" },
});

describe("in which order", () => {
  const ready = (...given: Parameters<typeof orderRestarts>) =>
    orderRestarts(...given).flatMap(({ vmId, state }) => (state === "ready" ? [vmId] : []));

  test("those of a higher priority first, and the others when these run", () => {
    const all = [candidate("web", "low"), candidate("db", "high"), candidate("db2", "high")];
    expect(ready(all, [])).toEqual(["db", "db2"]);
    expect(ready([candidate("web", "low")], [])).toEqual(["web"]);
  });

  test("nobody waits for one that is left, or held by something else", () => {
    expect(ready([candidate("web", "low"), candidate("db", "high", "left")], [])).toEqual(["web"]);
    expect(ready([candidate("web", "low"), candidate("db", "high", "held")], [])).toEqual(["web"]);
    expect(ready([candidate("web", "low"), candidate("db", "high", "soon")], [])).toEqual([]);
  });

  test("after the VMs of another rule", () => {
    const rules = [rule("first", ["db"]), rule("then", ["web"], { after: ["first"] })];
    expect(ready([candidate("web", "medium"), candidate("db", "medium")], rules)).toEqual(["db"]);
    expect(ready([candidate("web", "medium")], rules)).toEqual(["web"]);
  });

  test("whatever the rules, something goes on while something is ready and nothing is waited for", () => {
    const ids = ["v1", "v2", "v3", "v4"];
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom<RestartPriority>("highest", "high", "medium", "low", "lowest"), {
          minLength: 4,
          maxLength: 4,
        }),
        fc.boolean(),
        (priorities, chained) => {
          // Rules come after those that were there when they were made, as `judgeRule` demands.
          const rules = ids.map((id, index) =>
            rule(`r-${id}`, [id], chained && index > 0 ? { after: [`r-${ids[index - 1] ?? ""}`] } : {}),
          );
          const ranked = ["highest", "high", "medium", "low", "lowest"];
          const sorted = [...priorities].sort((a, b) => ranked.indexOf(a) - ranked.indexOf(b));
          const all = ids.map((id, index) =>
            candidate(id, (chained ? sorted : priorities)[index] ?? "medium"),
          );
          expect(ready(all, rules).length).toBeGreaterThan(0);
        },
      ),
    );
  });
});

test("a host that could not start a VM is left out for that VM alone", () => {
  const { recent } = facts({ tries: 1 });
  expect([...hostsThatFailed("11111111-1111-4111-8111-111111111111", recent)]).toEqual(["b"]);
  expect([...hostsThatFailed("other", recent)]).toEqual([]);
});
