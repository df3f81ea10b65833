/** Rules that one VM's change of place would break. */
import type { PoolRuleTerms } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { brokenRules, defaultOptions, planPool, type Places, type Pool } from "../../src/index.ts";
import { withRules } from "../../src/plan/with-rules.ts";
import { vmView } from "../hosts.ts";
import { ruleOf } from "./rules.ts";

const vms = [0, 1, 2, 3, 4].map((index) => vmView(index, 256));
const [v0, v1, v2] = vms as [(typeof vms)[0], (typeof vms)[0], (typeof vms)[0]];
const hosts = ["a", "b", "c", "d"];
const at = (...of: string[]) => new Map(of.map((host, index) => [vms[index]?.id ?? "", host]));
const names = (places: Partial<Places>, to: string, vm = v0) =>
  brokenRules({ hostOf: at("a", "b", "c"), coresOf: new Map(), rules: [], ...places }, vm.id, to).map(
    ({ name }) => name,
  );

test("only what must hold, what concerns the VM, and what gets worse", () => {
  const rules = [
    ruleOf("apart", { kind: "apart", must: true, of: "host" }, [v0, v1]),
    ruleOf("soft", { kind: "apart", must: false, of: "host" }, [v0, v1]),
    ruleOf("others", { kind: "apart", must: true, of: "host" }, [v1, v2]),
    ruleOf("licence", { kind: "on", must: true }, [v0], ["a", "b"]),
    ruleOf("no-host-left", { kind: "on", must: true }, [v0], []),
    ruleOf("never", { kind: "off", must: true }, [v0], ["d"]),
  ];
  expect(names({ rules }, "b")).toEqual(["apart"]);
  expect(names({ rules }, "c")).toEqual(["licence"]);
  expect(names({ rules }, "d")).toEqual(["licence", "never"]);
  // It is on a host that it must not be on already: another one like it is no worse.
  expect(names({ rules, hostOf: at("c", "b") }, "d")).toEqual(["never"]);
});

test("racks, counts and reservations", () => {
  const rules = [
    ruleOf("r1", { kind: "rack", rack: "r1" }, [], ["b", "c"]),
    ruleOf("racks", { kind: "apart", must: true, of: "rack" }, [v0, v1]),
    ruleOf("two-racks", { kind: "spread", must: true, racks: 2 }, [v0, v1]),
    ruleOf("one", { kind: "maxVms", count: 1 }, [], ["c"]),
    ruleOf("promised", { kind: "cpu", reservedCores: 3 }, [v0, v2]),
  ];
  const coresOf = new Map([["c", 4]]);
  expect(names({ rules, coresOf }, "c")).toEqual(["racks", "two-racks", "one", "promised"]);
  expect(names({ rules, coresOf }, "d")).toEqual([]);
  // A start: the VM is nowhere yet.
  expect(names({ rules, coresOf, hostOf: at("-").set(v1.id, "b") }, "c")).toEqual(["racks", "two-racks"]);
});

test("what it lets pass, the planner counts no worse; what the planner counts worse, it names", () => {
  const members = fc.uniqueArray(fc.constantFrom(...vms), { minLength: 2, maxLength: 4 });
  const somewhere = fc.uniqueArray(fc.constantFrom(...hosts), { minLength: 1, maxLength: 3 });
  const terms = fc.constantFrom<PoolRuleTerms>(
    { kind: "together", must: true },
    { kind: "apart", must: true, of: "host" },
    { kind: "apart", must: true, of: "rack" },
    { kind: "on", must: true },
    { kind: "off", must: true },
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(terms, members, somewhere), { minLength: 1, maxLength: 3 }),
      fc.array(fc.constantFrom(...hosts), { minLength: 5, maxLength: 5 }),
      fc.constantFrom(...hosts),
      (drawn, places, to) => {
        const rules = [
          ...drawn.map(([of, who, where], index) =>
            ruleOf(`rule-${String(index)}`, of, who, of.kind === "on" || of.kind === "off" ? where : []),
          ),
          ruleOf("r1", { kind: "rack", rack: "r1" }, [], ["a", "b"]),
        ];
        const hostOf = at(...places);
        const violations = (placed: ReadonlyMap<string, string>) => {
          const pool: Pool = {
            hosts: hosts.map((name) => ({ name, cores: 8, memoryBytes: 2 ** 36, state: "open" })),
            vms: vms.map(({ id, name }) => ({
              ...{ name, host: placed.get(id) ?? null, vcpus: 1, memoryBytes: 2 ** 28 },
              ...{ load: null, activeBytes: null, move: null, bound: "as it is" },
            })),
            rules: [],
          };
          return planPool(withRules(pool, rules), { ...defaultOptions, threshold: 1 }).before.violations;
        };
        const broken = brokenRules({ hostOf, rules, coresOf: new Map() }, v0.id, to);
        const worse = violations(new Map(hostOf).set(v0.id, to)) > violations(hostOf);
        if (broken.length === 0) expect(worse).toBe(false);
        if (worse) expect(broken).not.toEqual([]);
      },
    ),
    { numRuns: 300 },
  );
});
