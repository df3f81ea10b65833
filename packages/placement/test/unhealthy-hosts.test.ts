import type { HealthState, Maintenance } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { healthStep, isQuarantined, type HostCondition } from "../src/index.ts";

const host = (
  name: string,
  health: HealthState | null,
  more: Partial<HostCondition> = {},
): HostCondition => ({
  ...{ name, health, isUp: true, maintenance: "off", isBeingEmptied: false, wasEmptied: false },
  ...more,
});

test.each<[string, HostCondition[], ReturnType<typeof healthStep>]>([
  ["all are well", [host("a", null), host("b", null)], null],
  ["one is not well, but works", [host("a", "moderate"), host("b", null), host("c", null)], null],
  ["one may fail", [host("a", "severe"), host("b", null), host("c", null)], { do: "empty", host: "a" }],
  ["one of two may fail", [host("a", "severe"), host("b", null)], { do: "empty", host: "a" }],
  ["it is empty, or left to operators", [host("a", "severe", { maintenance: "on" }), host("b", null)], null],
  ["an operator took it back", [host("a", "severe", { wasEmptied: true }), host("b", null)], null],
  ["it could not be emptied", [host("a", "severe", { maintenance: "entering" }), host("b", null)], null],
  [
    "another is being emptied",
    [
      host("a", "severe"),
      host("b", "severe", { maintenance: "entering", isBeingEmptied: true }),
      ...["c", "d", "e"].map((name) => host(name, null)),
    ],
    { do: "wait" },
  ],
  [
    "most are hot at once",
    [host("a", "severe"), host("b", "severe"), host("c", null)],
    { do: "alone", hosts: ["a", "b"] },
  ],
  ["one that is silent tells nothing", [host("a", "severe", { isUp: false }), host("b", null)], null],
])("%s", (_, hosts, step) => {
  expect(healthStep("evacuate", hosts)).toEqual(step);
  expect(healthStep("ask", hosts)).toBeNull();
  expect(healthStep("quarantine", hosts)).toBeNull();
});

test("never more than one host at a time, never one that is well, never most of a pool", () => {
  const any = fc.record({
    name: fc.uuid(),
    health: fc.constantFrom<HealthState | null>("moderate", "severe", null),
    isUp: fc.boolean(),
    maintenance: fc.constantFrom<Maintenance>("off", "entering", "on"),
    isBeingEmptied: fc.boolean(),
    wasEmptied: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(any, { maxLength: 8 }), (hosts) => {
      const step = healthStep("evacuate", hosts);
      if (step?.do !== "empty") return;
      const chosen = hosts.find(({ name }) => name === step.host);
      expect(chosen).toMatchObject({ health: "severe", isUp: true, maintenance: "off", wasEmptied: false });
      expect(hosts.some(({ isBeingEmptied }) => isBeingEmptied)).toBe(false);
      const up = hosts.filter(({ isUp }) => isUp);
      expect(up.filter(({ health }) => health === "severe").length * 2).toBeLessThanOrEqual(up.length);
    }),
  );
});

test("a host that is not well takes no VM where the pool acts, and does where it only tells", () => {
  expect(isQuarantined("ask", "severe")).toBe(false);
  expect(isQuarantined("quarantine", "moderate")).toBe(true);
  expect(isQuarantined("evacuate", "moderate")).toBe(true);
  expect(isQuarantined("evacuate", null)).toBe(false);
});
