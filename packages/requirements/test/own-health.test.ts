/** Whose ailment slow storage is: a host is not left for what all hosts see. */
import type { HealthFinding, HostLoad } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { health as check } from "../src/checks/health.ts";
import { ownHealth } from "../src/index.ts";

const nowMs = Date.parse("2026-11-29T12:00:00Z");
const before = (minutes: number) => new Date(nowMs - minutes * 60_000).toISOString();
const slow = (name: string, minutes = 10, state: HealthFinding["state"] = "severe"): HealthFinding => ({
  ...{ source: "storage-latency", component: `datastore ${name}`, state, evidence: "it is slow" },
  since: before(minutes),
});
const fan: HealthFinding = { ...slow("x"), source: "sensors", component: "fan1" };
const host = (name: string, findings: HealthFinding[], o: { stores?: string[]; silent?: number } = {}) => ({
  name,
  load: {
    ...{ name, reportedAt: before(o.silent ?? 0) },
    datastores: (o.stores ?? ["shared"]).map((one) => ({ name: one })),
    health: { findings, sources: [] },
  } as unknown as HostLoad,
});
const of = (...hosts: Parameters<typeof ownHealth>[0][number][]) =>
  Object.fromEntries([...ownHealth(hosts, nowMs)].map(([name, { health }]) => [name, health]));

test("a datastore that is slow for one host only is that host's ailment", () => {
  const health = of(host("a", [slow("shared")]), host("b", []), host("c", []));
  expect(health).toEqual({ a: "severe", b: null, c: null });
});

test("one that is slow for most hosts is nobody's; what else ails a host stays", () => {
  const health = of(host("a", [slow("shared"), fan]), host("b", [slow("shared")]), host("c", []));
  expect(health).toEqual({ a: "severe", b: null, c: null });
  expect(of(host("a", [slow("shared")]), host("b", [slow("shared")]))).toEqual({ a: null, b: null });
});

test("hosts that have not looked yet are given time, and those that are silent or have it not do not count", () => {
  expect(of(host("a", [slow("shared", 2)]), host("b", []), host("c", []))).toMatchObject({ a: null });
  const silent = host("c", [], { silent: 60 });
  const without = host("d", [], { stores: ["other"] });
  const pair = [host("a", [slow("shared")]), host("b", [slow("shared")])] as const;
  expect(of(...pair, silent, without)).toMatchObject({ a: null, b: null });
  expect(of(host("a", [slow("own")], { stores: ["own"] }), host("b", []))).toMatchObject({ a: "severe" });
  expect(of({ name: "new", load: null })).toEqual({ new: null });
});

test("a move is warned of slow storage at its destination, unless the VM's host finds it slow too", () => {
  const warned = (here: HealthFinding[], there: HealthFinding[]) =>
    check({
      ...{ destination: { name: "b" }, targetLoad: host("b", there).load },
      sourceLoad: host("a", here).load,
    } as unknown as Parameters<typeof check>[0]).flatMap(({ details }) => details.parts);
  expect(warned([], [slow("shared")])).toEqual(["datastore shared: it is slow"]);
  expect(warned([slow("shared")], [slow("shared")])).toEqual([]);
  expect(warned([slow("other")], [slow("shared")])).toEqual(["datastore shared: it is slow"]);
  expect(warned([fan], [fan])).toEqual(["fan1: it is slow"]);
});

test("however many hosts find it slow: never are most of them left for it", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 2, maxLength: 9 }), (slows) => {
      const hosts = slows.map((is, index) => host(`h${String(index)}`, is ? [slow("shared")] : []));
      const left = Object.values(of(...hosts)).filter((health) => health !== null).length;
      expect(left * 2).toBeLessThanOrEqual(hosts.length);
      expect(left).toBe(slows.filter(Boolean).length * 2 <= hosts.length ? slows.filter(Boolean).length : 0);
    }),
  );
});
