/** Which guests are reset: those alone that are known to hang. */
import type { GuestSigns, VmId, VmState } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { guestPolicies, judgeGuest, type GuestFacts } from "../src/guest-reset.ts";
import type { PoolRule } from "../src/rules/pool-rule.ts";

const policy = { silenceSeconds: 60, graceSeconds: 120, mostResets: 3 };
const id = "7f0c2c1e-1111-4222-8333-444455556666" as VmId;
const hung: GuestSigns = { id, watchedSeconds: 300, hasAnswered: true, silentSeconds: 70, idleSeconds: 65 };
const facts = (change: Partial<GuestFacts> = {}, signs: Partial<GuestSigns> = {}): GuestFacts => ({
  ...{ vm: { state: "running" }, policy, isBusy: false, resets: 0, signs: { ...hung, ...signs } },
  ...change,
});

test("a guest that neither answers nor does anything is reset", () => {
  expect(judgeGuest(facts())).toEqual({ do: "reset", silentSeconds: 70 });
});

test.each<[string, GuestFacts]>([
  ["answers", facts({}, { silentSeconds: null })],
  ["has been silent for a moment", facts({}, { silentSeconds: 59 })],
  ["uses its disk or network", facts({}, { idleSeconds: 3 })],
  ["cannot be counted", facts({}, { idleSeconds: null })],
  ["never answered", facts({}, { hasAnswered: false })],
  ["has just been started", facts({}, { watchedSeconds: 100 })],
  ["is told of by nobody", facts({ signs: null })],
  ["has a task", facts({ isBusy: true })],
])("a guest that %s is not", (_, known) => {
  expect(judgeGuest(known)).toEqual({ do: "nothing" });
});

test("one that was reset often enough within the hour is left to an operator", () => {
  expect(judgeGuest(facts({ resets: 2 })).do).toBe("reset");
  expect(judgeGuest(facts({ resets: 3 })).do).toBe("left");
});

test("whatever is known: nothing but a VM that runs, that answered before and was seen to do nothing for long enough, is reset", () => {
  const seconds = fc.oneof(fc.constant(null), fc.integer({ min: 0, max: 400 }));
  const states: VmState[] = ["stopped", "starting", "running", "paused", "incoming", "stopping", "lost"];
  fc.assert(
    fc.property(
      fc.constantFrom(...states),
      fc.boolean(),
      fc.boolean(),
      ...[seconds, seconds, fc.integer({ min: 0, max: 400 })],
      (state, isBusy, hasAnswered, silentSeconds, idleSeconds, watched) => {
        const signs = { hasAnswered, silentSeconds, idleSeconds, watchedSeconds: watched };
        if (judgeGuest(facts({ vm: { state }, isBusy }, signs)).do === "nothing") return;
        expect([state, isBusy, hasAnswered]).toEqual(["running", false, true]);
        expect(Math.min(silentSeconds ?? 0, idleSeconds ?? 0)).toBeGreaterThanOrEqual(60);
        expect(watched).toBeGreaterThanOrEqual(120);
      },
    ),
  );
});

test("a rule says it for its VMs, whatever the pool says", () => {
  const rule = (enabled: boolean): PoolRule => ({
    ...{ pool: "east", name: "guests", hosts: [], vms: [{ id, name: "web-1" }] },
    terms: { kind: "guestReset", enabled },
  });
  const usual = { ...policy, silenceSeconds: 30 };
  const vms = [{ id }];
  expect(guestPolicies(vms, [], null, usual).size).toBe(0);
  expect(guestPolicies(vms, [rule(true)], null, usual).get(id)).toEqual(usual);
  expect(guestPolicies(vms, [], policy, usual).get(id)).toEqual(policy);
  expect(guestPolicies(vms, [rule(false)], policy, usual).size).toBe(0);
});
