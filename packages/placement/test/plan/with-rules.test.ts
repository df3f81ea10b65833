/** Rules in the plan, in the choice of a host and in maintenance. */
import { expect, test } from "vitest";
import {
  placeReported,
  planEvacuation,
  planReported,
  type KnownHost,
  type PoolRule,
} from "../../src/index.ts";
import { defaultOptions } from "../../src/index.ts";
import { withRules } from "../../src/plan/with-rules.ts";
import { hostReport, vmView } from "../hosts.ts";
import { ruleOf } from "../rules/rules.ts";

const vms = [1, 2].map((index) => vmView(index, 512));
const [one, two] = vms as [(typeof vms)[0], (typeof vms)[0]];
const hosts: KnownHost[] = ["a", "b", "c"].map((name) => ({
  ...{ name, maintenance: "off", unreachableReason: null, baseline: null },
  ...hostReport(name, { vms: name === "a" ? vms : [] }),
}));
const reports = (...rules: PoolRule[]) => ({ hosts, vms, busy: new Set<string>(), rules, loads: new Map() });
const options = { ...defaultOptions, threshold: 1 as const };
const movesBy = (...rules: PoolRule[]) =>
  planReported({ reports: reports(...rules), options, without: [], explain: null }).plan.moves.map(
    ({ vm, to }) => `${vm} ${to}`,
  );

test("at threshold 1 a broken rule moves VMs, and nothing else does", () => {
  expect(movesBy()).toEqual([]);
  expect(movesBy(ruleOf("apart", { kind: "apart", must: true, of: "host" }, vms))).toHaveLength(1);
  expect(movesBy(ruleOf("on", { kind: "on", must: true }, [two], ["c"]))).toEqual(["vm-2 c"]);
  expect(
    movesBy(
      ruleOf("rack", { kind: "rack", rack: "r" }, [], ["a", "b"]),
      ruleOf("apart", { kind: "apart", must: true, of: "rack" }, vms),
    ),
  ).toEqual([expect.stringMatching(/^vm-. c$/)]);
});

test("a VM that starts, or leaves its host, goes where its rules let it", () => {
  const apart = ruleOf("apart", { kind: "apart", must: true, of: "host" }, vms);
  const starting = { ...two, state: "stopped" as const };
  expect(placeReported({ reports: reports(apart), vm: starting }).host).not.toBe("a");
  expect(
    placeReported({ reports: reports(ruleOf("on", { kind: "on", must: true }, [two], ["c"])), vm: two }),
  ).toMatchObject({
    host: "c",
  });
  // It is to leave its host, and may be on no other.
  const stays = ruleOf("on", { kind: "on", must: true }, [two], ["a"]);
  const none = placeReported({ reports: reports(stays), vm: two });
  expect(none.host).toBeNull();
  expect(none.against).toContain("a: it is there now");
  expect(none.against).toContain("b: rule on");
});

test("a host is emptied by the rules: VMs that must be together follow each other, those apart do not meet", () => {
  const evacuate = (...rules: PoolRule[]) =>
    planEvacuation({
      ...{ host: "a", source: hostReport("a", { vms }), arriving: [], rules },
      movers: vms.map((vm) => ({ vm, live: true, failedAt: [] })),
      destinations: ["b", "c"].map((name) => ({ name, takesVms: true, report: hostReport(name) })),
      hostOf: new Map(vms.map(({ id }) => [id, "a"])),
      limits: { free: Infinity, perTarget: Infinity },
    });
  const to = (next: ReturnType<typeof evacuate>) => next.begin.map((move) => move.to);
  const apart = to(evacuate(ruleOf("apart", { kind: "apart", must: true, of: "host" }, vms)));
  expect(new Set(apart).size).toBe(2);
  const together = to(evacuate(ruleOf("together", { kind: "together", must: true }, vms)));
  expect(together).toHaveLength(2);
  expect(new Set(together).size).toBe(1);
  const bound = evacuate(ruleOf("licence", { kind: "on", must: true }, [one], ["a"]));
  expect(bound.stuck).toMatchObject([
    {
      mover: { vm: { name: "vm-1" } },
      findings: [{ code: "POOL_RULE_BROKEN" }, { code: "POOL_RULE_BROKEN" }],
    },
  ]);
  expect(bound.begin).toHaveLength(1);
});

test("shares divide what is there only where the pool has too little", () => {
  const vm = (name: string, mean: number) => ({
    ...{
      name,
      host: "a",
      vcpus: 8,
      memoryBytes: 1,
      load: { mean, deviation: 0 },
      activeBytes: 1,
      move: null,
    },
  });
  const pool = (cores: number) => ({
    hosts: [{ name: "a", cores, memoryBytes: 2 ** 40, state: "open" as const }],
    vms: [vm("vm-1", 6), vm("vm-2", 6)],
    rules: [],
  });
  const shares = [ruleOf("gold", { kind: "cpu", shares: 24_000 }, [one])];
  expect(withRules(pool(16), shares).vms.map(({ limitCores }) => limitCores)).toEqual([undefined, undefined]);
  expect(withRules(pool(8), shares).vms.map(({ limitCores }) => limitCores)).toEqual([
    expect.closeTo(6),
    expect.closeTo(2),
  ]);
});
