/** The rules of a move without a baseline, read off their table. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { evcModes, features, featureNamed, microcodeFeatures, type CpuFeature } from "../../src/index.ts";
import { exposedFeatures } from "../../src/evc/exposed-features.ts";
import { mayBeExposed } from "../../src/evc/qemu-cpu.ts";
import { judge, ruleOf, type Rule, type Presence } from "../../src/compare/rules.ts";

const named = (name: string): CpuFeature => {
  const feature = featureNamed(name);
  if (feature === undefined) throw new Error(`no feature ${name}`);
  return feature;
};
const rules: readonly Rule[] = ["user", "kernel", "hidden", "ignored", "state"];
const told = fc.constantFrom<Presence>(true, false, null);

test("each feature falls under the rule that VMware's table has for it", () => {
  const expected: Record<string, Rule> = {
    pni: "user",
    "sse4.1": "user",
    xsave: "user",
    rdtscp: "user",
    nx: "kernel",
    "fxsr-opt": "kernel",
    monitor: "kernel",
    vmx: "kernel",
    est: "hidden",
    la57: "hidden",
    hypervisor: "ignored",
    x2apic: "ignored",
    hle: "ignored",
    osxsave: "state",
    ospke: "state",
  };
  expect(Object.fromEntries(Object.keys(expected).map((name) => [name, ruleOf(named(name))]))).toEqual(
    expected,
  );
});

test("microcode bits that guests are shown count, those that none is shown do not", () => {
  expect(["spec-ctrl", "amd-stibp", "md-clear", "ibpb"].map((name) => ruleOf(named(name)))).toEqual(
    Array.from({ length: 4 }, () => "kernel"),
  );
  expect(ruleOf(named("virt-ssbd"))).toBe("hidden");
});

test("whatever a guest may be shown is compared", () => {
  const shown = [
    ...features.filter(mayBeExposed),
    ...evcModes.flatMap((mode) => exposedFeatures(mode, microcodeFeatures).map(named)),
  ];
  expect(
    shown.filter((feature) => !["user", "kernel"].includes(ruleOf(feature))).map(({ name }) => name),
  ).toEqual([]);
});

describe("what is known on both sides", () => {
  test.each([
    // rule, source has, destination has, may move
    ["user", true, true, "may"],
    ["user", true, false, "may-not"],
    ["user", false, true, "may-not"],
    ["user", false, false, "may"],
    ["kernel", true, true, "may"],
    ["kernel", true, false, "may-not"],
    ["kernel", false, true, "may"],
    ["kernel", false, false, "may"],
    ["hidden", true, false, "may"],
    ["ignored", true, false, "may"],
    ["state", true, false, "may"],
  ] as const)("%s: source %s, destination %s → %s", (rule, source, destination, verdict) => {
    expect(judge(rule, source, destination)).toBe(verdict);
  });
});

describe("what one side does not tell", () => {
  test.each([
    ["user", true, null, "unknown"],
    ["user", null, true, "unknown"],
    ["kernel", true, null, "unknown"],
    // Whatever the source has, the destination has it too.
    ["kernel", null, true, "may"],
    ["hidden", true, null, "may"],
    ["ignored", null, true, "may"],
  ] as const)("%s: source %s, destination %s → %s", (rule, source, destination, verdict) => {
    expect(judge(rule, source, destination)).toBe(verdict);
  });

  test.each([
    ["user", null, false, "unknown"],
    ["user", null, null, "unknown"],
    ["kernel", null, false, "unknown"],
    ["kernel", false, null, "may"], // a destination may have more
    ["hidden", null, false, "may"],
  ] as const)(
    "neither is known to have it, %s: source %s, destination %s → %s",
    (rule, source, destination, verdict) => {
      expect(judge(rule, source, destination)).toBe(verdict);
    },
  );
});

test("what is judged unknown would be judged either way once it is known", () => {
  fc.assert(
    fc.property(fc.constantFrom(...rules), told, told, (rule, source, destination) => {
      if (judge(rule, source, destination) !== "unknown") return;
      const answers = new Set(
        [true, false].flatMap((s) =>
          [true, false]
            .filter((d) => (source ?? s) === s && (destination ?? d) === d)
            .map((d) => judge(rule, s, d)),
        ),
      );
      expect([...answers].sort()).toEqual(["may", "may-not"]);
    }),
  );
});

test("every feature of the table has a rule, and most are compared", () => {
  const counts = Map.groupBy(features, ruleOf);
  expect([...counts.keys()].sort()).toEqual([...rules].sort());
  expect((counts.get("user")?.length ?? 0) + (counts.get("kernel")?.length ?? 0)).toBeGreaterThan(100);
});
