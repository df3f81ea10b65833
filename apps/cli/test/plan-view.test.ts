/** A plan and an explanation as people read them. */
import type { PoolPlan } from "@godwit/contract";
import { expect, test } from "vitest";
import { explanationText, planText } from "../src/output/plan-view.ts";

const standing = {
  mustLeave: 0,
  highestCpu: 0.9,
  highestMemory: 0.5,
  survivesFailure: true,
  failingHost: null,
};
const plan: PoolPlan = {
  pool: "east",
  request: { goal: "happy", threshold: 3, without: [], add: [] },
  moves: [],
  ...{ before: standing, after: standing, stuck: [], unmeasured: [], absent: [] },
};

test("a pool in which nothing moves", () => {
  expect(planText(plan)).toBe(`Pool east: no VM would move.
Busiest host: 90 % of its CPUs, then 90 %.
Fullest host: 50 % of its memory, then 50 %.
Afterwards any one host may fail: the others have room for its VMs.`);
});

test("moves with what they save and cost, what is stuck, and what is not counted on", () => {
  const text = planText({
    ...plan,
    moves: [
      { vm: "web", from: "a", to: "b", reason: "must", gain: 0, cost: 1, risk: 2, after: [] },
      { vm: "db", from: "a", to: "c", reason: "load", gain: 99.5, cost: 4, risk: 3, after: [0] },
    ],
    stuck: ["big"],
    absent: [{ host: "d", reason: "it is off" }],
    after: { ...standing, highestCpu: 0.6, survivesFailure: false, failingHost: "c" },
  });
  expect(text).toBe(`Host d is not counted on: it is off.
   VM   FROM  TO  WHY         SAVES  COSTS  AFTER
1  web  a     b   must leave  -      3      -
2  db   a     c   load        100    7      1
No host has room for: big.
Busiest host: 90 % of its CPUs, then 60 %.
Fullest host: 50 % of its memory, then 50 %.
Afterwards the VMs of host c would not all fit on the others.`);
});

test("an explanation has every other host, and what stands against it", () => {
  const text = explanationText({
    ...{ pool: "east", vm: "web", from: "a", to: null, sentence: "web stays: nobody would gain by a move." },
    ...{ cost: 1.5, risk: 20, caution: 4 },
    candidates: [
      { host: "b", gain: 0, net: -86, against: [] },
      { host: "c", gain: 0, net: -86, against: ["it takes no VMs", "it has not enough memory"] },
    ],
  });
  expect(text).toBe(`web stays: nobody would gain by a move.
A move costs 1.5 core-seconds and risks 20.0; it must save 4 times that within the hour.
HOST  WOULD SAVE  AGAINST IT
b     0.0         -
c     0.0         it takes no VMs; it has not enough memory`);
});
