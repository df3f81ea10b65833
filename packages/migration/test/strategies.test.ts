/** Each strategy's decisions, over any course of a copy. */
import { decisionText, objectives, type Objective, type ObjectiveName } from "@godwit/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  backedOut,
  beginCopy,
  budgetShare,
  expectedOutageMs,
  stallMs,
  type CopySample,
} from "../src/copy.ts";
import { chooseStrategy, copyLimits, orderFor, strategies } from "../src/index.ts";
import type { CopyDecision, Strategy } from "../src/strategies/strategy.ts";

const order = { bandwidthBytesPerSecond: null };
const totalBytes = 2 ** 30;

/** A course of samples: time goes on, what was sent never shrinks, rounds never go back. */
const course: fc.Arbitrary<CopySample[]> = fc
  .array(
    fc.record({
      afterMs: fc.integer({ min: 1, max: 20_000 }),
      sentBytes: fc.integer({ min: 0, max: 2 ** 26 }),
      rounds: fc.integer({ min: 0, max: 1 }),
      remainingBytes: fc.oneof(fc.integer({ min: 0, max: 2 ** 16 }), fc.integer({ min: 0, max: totalBytes })),
      bytesPerSecond: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2 ** 30 })),
      dirtyBytesPerSecond: fc.integer({ min: 0, max: 2 ** 30 }),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((steps) => {
    const samples: CopySample[] = [];
    let before = { atMs: 0, transferredBytes: 0, round: 1 };
    for (const { afterMs, sentBytes, rounds, ...rest } of steps) {
      before = {
        atMs: before.atMs + afterMs,
        transferredBytes: before.transferredBytes + sentBytes,
        round: before.round + rounds,
      };
      samples.push({ ...before, ...rest, totalBytes, passBegins: rounds > 0 });
    }
    return samples;
  });
const maxOutageMs = fc.integer({ min: 1, max: 60_000 });
const trustedPasses = fc.constantFrom(1, Number.POSITIVE_INFINITY);

/** What a strategy that chooses its course is given; others pay no heed to it. */
const objectiveFor = ({ splitsMemory }: Strategy): Objective => ({
  name: "normal",
  ...objectives[splitsMemory ? "normal" : "realtime"],
});

/** All decisions up to the first that ends the copy, each with the state and the sample that it was made of. */
function decided(strategy: Strategy, budgetMs: number, passes: number, samples: readonly CopySample[]) {
  let state = strategy.begin(budgetMs, 0, { trustedPasses: passes, objective: objectiveFor(strategy) });
  const found = [];
  for (const sample of samples) {
    const before = state;
    const step = strategy.decide(state, sample);
    state = step.state;
    found.push({ before, sample, state, decision: step.decision });
    if (step.decision.kind !== "continue" && step.decision.kind !== "tune") break;
  }
  return found;
}
const last = (found: ReturnType<typeof decided>): { decision: CopyDecision; sample: CopySample } => {
  const end = found.at(-1);
  if (end === undefined) throw new Error("nothing was decided");
  return end;
};

describe.each(Object.values(strategies).map((strategy) => [strategy.name, strategy] as const))(
  "%s",
  (_, strategy) => {
    test("a switch with all the memory is decided only where its forecast fits the budget, at the beginning of a pass", () => {
      fc.assert(
        fc.property(maxOutageMs, trustedPasses, course, (budgetMs, passes, samples) => {
          for (const { before, sample, decision } of decided(strategy, budgetMs, passes, samples)) {
            if (decision.kind !== "switch" || decision.memory !== "complete") continue;
            expect(sample.passBegins && sample.round >= 2).toBe(true);
            const expected = expectedOutageMs(before, sample);
            expect(expected).toBeLessThanOrEqual(budgetMs * budgetShare);
            expect(decision.decision).toMatchObject({ kind: "switch", expectedOutageMs: expected });
            expect(decisionText(decision.decision)).toMatch(/^switch: \d+ KiB left/);
          }
        }),
      );
    });

    test("memory is split only by a strategy that says so, and such a copy never ends as not converging", () => {
      fc.assert(
        fc.property(maxOutageMs, trustedPasses, course, (budgetMs, passes, samples) => {
          const { decision } = last(decided(strategy, budgetMs, passes, samples));
          if (decision.kind === "switch" && decision.memory === "split")
            expect(strategy.splitsMemory).toBe(true);
          // Where a guest would wait for its memory for minutes it is better off without.
          const isWorseOff = decision.kind === "notConverging" && decision.because === "postcopyWouldHurt";
          if (strategy.splitsMemory && !isWorseOff) expect(decision.kind).not.toBe("notConverging");
        }),
      );
    });

    test("where one pass can be trusted, a second one is never gone on with", () => {
      fc.assert(
        fc.property(maxOutageMs, course, (budgetMs, samples) => {
          // Pre-copy is not chosen there.
          if (strategy.name === "precopy") return;
          for (const { sample, decision } of decided(strategy, budgetMs, 1, samples)) {
            if (sample.round > 1) expect(["unsafe", "stalled"]).toContain(decision.kind);
          }
        }),
      );
    });

    test("a copy of which nothing gets through for long is ended, whatever else is seen of it", () => {
      fc.assert(
        fc.property(maxOutageMs, trustedPasses, course, (budgetMs, passes, samples) => {
          for (const { before, sample, decision } of decided(strategy, budgetMs, passes, samples)) {
            const isStill = sample.transferredBytes <= before.sentBytes;
            expect(decision.kind === "stalled").toBe(isStill && sample.atMs - before.sentAtMs >= stallMs);
          }
        }),
      );
    });

    test("QEMU is left no capability of an earlier move, and either side gets what it needs of the other", () => {
      const source = strategy.sourceSettings(order, {
        trustedPasses: Number.POSITIVE_INFINITY,
        objective: objectiveFor(strategy),
      });
      const { capabilities } = strategy.destinationSettings;
      const all = Object.values(strategies).flatMap((one) =>
        Object.keys(one.sourceSettings(order, { trustedPasses: 1, objective: null }).capabilities),
      );
      expect(new Set(Object.keys(source.capabilities))).toEqual(new Set(all));
      expect(capabilities["postcopy-ram"]).toBe(source.capabilities["postcopy-ram"]);
      expect(source.capabilities["postcopy-ram"]).toBe(strategy.splitsMemory);
      expect(capabilities["return-path"]).toBe(true);
    });
  },
);

test("pre-copy ends as not converging only after long patience or many back-outs", () => {
  fc.assert(
    fc.property(maxOutageMs, course, (budgetMs, samples) => {
      const { decision, sample } = last(
        decided(strategies.precopy, budgetMs, Number.POSITIVE_INFINITY, samples),
      );
      if (decision.kind !== "notConverging") return;
      expect(sample.round).toBeGreaterThanOrEqual(40);
      expect(sample.atMs).toBeGreaterThanOrEqual(30_000);
    }),
  );
});

test("each back-out makes the next switch more careful, and lets the guest run first", () => {
  fc.assert(
    fc.property(
      maxOutageMs,
      fc.array(fc.double({ min: 0.1, max: 100_000, noNaN: true }), { minLength: 1, maxLength: 20 }),
      (budgetMs, pauses) => {
        let state = beginCopy(budgetMs, 0, Number.POSITIVE_INFINITY);
        for (const [index, pausedMs] of pauses.entries()) {
          const next = backedOut(state, index * 1000, pausedMs);
          expect(next.backOuts).toBe(state.backOuts + 1);
          expect(next.fixedMs).toBeGreaterThanOrEqual(state.fixedMs);
          expect(next.fixedMs).toBeLessThanOrEqual(Math.max(state.fixedMs, budgetMs * budgetShare));
          expect(next.notBeforeMs).toBeGreaterThan(index * 1000 + pausedMs);
          expect(next.bestOutageMs).toBeGreaterThanOrEqual(pausedMs);
          state = next;
        }
      },
    ),
  );
});

test("the strategy follows from what is asked for and from what the source's QEMU can be trusted with", () => {
  const chosen = (strategy: "precopy" | "postcopy", accelerator: "kvm" | "tcg", version: string) =>
    chooseStrategy({ strategy, accelerator, vm: {} }, version).name;
  expect(chosen("precopy", "kvm", "7.2.22")).toBe("precopy");
  expect(chosen("precopy", "tcg", "7.2.22")).toBe("single-pass");
  expect(chosen("precopy", "tcg", "8.2.0")).toBe("single-pass");
  expect(chosen("precopy", "tcg", "9.0.0")).toBe("precopy");
  expect(chosen("precopy", "tcg", "10.0.2")).toBe("precopy");
  expect(chosen("postcopy", "tcg", "7.2.22")).toBe("postcopy");
  expect(copyLimits({ strategy: "postcopy", accelerator: "tcg", vm: {} }, "7.2.22").trustedPasses).toBe(1);
});

test("of an emulated guest with several blocks of memory only one pass can be trusted, under any QEMU", () => {
  const node = { vcpus: 1, memoryMib: 256 };
  const chosen = (accelerator: "kvm" | "tcg", numa: (typeof node)[]) =>
    chooseStrategy({ strategy: "precopy", accelerator, vm: { numa } }, "10.0.2").name;
  expect(chosen("tcg", [node])).toBe("precopy");
  expect(chosen("tcg", [node, node])).toBe("single-pass");
  expect(chosen("kvm", [node, node])).toBe("precopy");
});

test("an objective leaves the choice open, but for emulated guests of which only one pass can be trusted", () => {
  const named = (name: ObjectiveName): Objective => ({ name, ...objectives[name] });
  const chosen = (name: ObjectiveName, accelerator: "kvm" | "tcg", version: string) =>
    chooseStrategy({ strategy: "precopy", accelerator, objective: named(name), vm: {} }, version).name;
  expect(chosen("normal", "kvm", "7.2.22")).toBe("auto");
  expect(chosen("batch", "tcg", "10.0.2")).toBe("auto");
  expect(chosen("realtime", "kvm", "10.0.2")).toBe("auto-precopy");
  expect(chosen("normal", "tcg", "7.2.22")).toBe("single-pass");
  expect(chosen("realtime", "tcg", "7.2.22")).toBe("single-pass");
});

test("a process of before an upgrade of QEMU does not use post-copy as the last resort", () => {
  const order = { objective: { name: "normal", ...objectives.normal } as const };
  expect(orderFor(order, "10.0.2", "10.0.2")).toEqual({ ...order, postcopyMayBeLeftOut: true });
  expect(orderFor(order, "7.2.22", "10.0.2").objective.postcopy).toBe("never");
  expect(orderFor({}, "7.2.22", "10.0.2")).toEqual({});
});

test("post-copy is refused before a move where the destination cannot take it, with what to do", () => {
  const facts = { vm: "web-1", destination: { host: "b", postcopyUnavailable: "it may not." } };
  expect(strategies.postcopy.requires(facts)).toMatchObject([
    { code: "POSTCOPY_UNAVAILABLE", severity: "error", host: "b" },
  ]);
  expect(strategies.precopy.requires(facts)).toEqual([]);
  const fine = { ...facts, destination: { host: "b", postcopyUnavailable: null } };
  expect(strategies.postcopy.requires(fine)).toEqual([]);
});
