/**
 * The choice of a course, over guests and links of all kinds that a model of a copy plays: every one ends, none is slowed
 * down beyond its bound, post-copy comes last and only where it is allowed. And the cases by which the rules were made.
 */
import { objectives, type Objective } from "@godwit/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { beginAuto } from "../src/auto/auto-state.ts";
import { decideAuto } from "../src/auto/controller.ts";
import { play, type Played } from "../src/auto/play.ts";
import type { Guest, Link, WorkingSet } from "../src/auto/copy-model.ts";
import { catchUpMs } from "../src/auto/throttle.ts";
import { beginCopy, type CopyState } from "../src/copy.ts";
import type { CopyDecision } from "../src/copy-decision.ts";
import type { CopySample } from "../src/copy-sample.ts";

const mib = 2 ** 20;
const gigabit = 117e6;
const steady =
  (bytesPerSecond: number): Link =>
  () =>
    bytesPerSecond;

const workingSet: fc.Arbitrary<WorkingSet> = fc.record({
  bytes: fc.integer({ min: 1, max: 512 }).map((size) => size * mib),
  bytesPerSecond: fc.integer({ min: 0, max: 2000 }).map((rate) => rate * mib),
  order: fc.constantFrom("scattered" as const, "sequential" as const),
  phase: fc.option(
    fc.record({
      everyMs: fc.integer({ min: 500, max: 20_000 }),
      activeMs: fc.integer({ min: 100, max: 20_000 }),
      fromMs: fc.integer({ min: 0, max: 20_000 }),
    }),
  ),
});
const guest: fc.Arbitrary<Guest> = fc.record({
  touchedBytes: fc.integer({ min: 16, max: 2048 }).map((size) => size * mib),
  workingSets: fc.array(workingSet, { minLength: 1, maxLength: 3 }),
});
/** A pace, with a stretch of time in which the link is slow or down. */
const link: fc.Arbitrary<Link> = fc
  .record({
    pace: fc.constantFrom(12e6, gigabit, 1.1e9),
    share: fc.constantFrom(1, 0.5, 0.1, 0),
    fromMs: fc.integer({ min: 0, max: 30_000 }),
    forMs: fc.integer({ min: 0, max: 60_000 }),
  })
  .map(
    ({ pace, share, fromMs, forMs }) =>
      (atMs: number) =>
        atMs >= fromMs && atMs < fromMs + forMs ? pace * share : pace,
  );
const objective: fc.Arbitrary<Objective> = fc.record({
  name: fc.constant("normal" as const),
  maxSlowdown: fc.constantFrom(0, 0.2, 0.5, 0.9, 0.99),
  deadlineMs: fc.option(fc.integer({ min: 1000, max: 120_000 })),
  postcopy: fc.constantFrom("never" as const, "lastResort" as const),
});
const maxOutageMs = fc.constantFrom(1, 50, 250, 2000);

const outages = ({ tries }: Played): number[] => tries.map(({ pausedMs }) => pausedMs);

test("every copy ends, within the bounds of its objective", () => {
  fc.assert(
    fc.property(guest, link, objective, maxOutageMs, (aGuest, aLink, anObjective, budgetMs) => {
      const played = play(aGuest, aLink, { objective: anObjective, maxOutageMs: budgetMs, fixedMs: 8 });
      expect(played.end).not.toBe("endless");
      expect(played.mostThrottle).toBeLessThanOrEqual(anObjective.maxSlowdown);
      if (anObjective.postcopy === "never") expect(played.end).not.toBe("postcopy");
      for (const pausedMs of outages(played)) expect(pausedMs).toBeLessThanOrEqual(budgetMs + 5);
    }),
    { numRuns: 300 },
  );
});

test("a deadline is kept, or the copy ends when it has come", () => {
  fc.assert(
    fc.property(guest, link, maxOutageMs, (aGuest, aLink, budgetMs) => {
      const bounds: Objective = {
        name: "normal",
        ...objectives.normal,
        deadlineMs: 10_000,
        postcopy: "never",
      };
      const played = play(aGuest, aLink, { objective: bounds, maxOutageMs: budgetMs, fixedMs: 8 });
      expect(played.decidedAtMs).toBeLessThanOrEqual(10_000 + 500 + budgetMs);
    }),
    { numRuns: 100 },
  );
});

test("when its time is over, a copy that fits the pause is switched with all its memory, and neither split nor given up", () => {
  const round = {
    round: 3,
    transferredBytes: 1e9,
    totalBytes: 1e9,
    bytesPerSecond: 1e8,
    dirtyBytesPerSecond: 1e6,
  };
  const atDeadline = (remainingBytes: number, more: Partial<CopySample> = {}) => {
    const objective: Objective = { name: "normal", ...objectives.normal, deadlineMs: 1000 };
    const state = { ...beginCopy(50, 0, Number.POSITIVE_INFINITY), auto: beginAuto(objective, 0) };
    const sample = { atMs: 2000, remainingBytes, passBegins: true, ...round, ...more };
    return decideAuto({ ...state, fixedMs: 8 }, sample).decision;
  };
  expect(atDeadline(4096)).toMatchObject({
    kind: "switch",
    memory: "complete",
    decision: { because: "timeIsUp" },
  });
  expect(atDeadline(64 * mib)).toMatchObject({
    kind: "switch",
    memory: "split",
    decision: { because: "deadline" },
  });
  // In the middle of a pass more is dirty than is told.
  expect(atDeadline(4096, { passBegins: false })).toMatchObject({ memory: "split" });
});

test("passes that are long and gain less than a tenth are not repeated once more to be sure", () => {
  const objective: Objective = { name: "normal", ...objectives.normal };
  const begun = { ...beginCopy(250, 0, Number.POSITIVE_INFINITY), auto: beginAuto(objective, 0), fixedMs: 8 };
  const passes = [
    { round: 2, atMs: 16_000, remainingBytes: 76 * mib },
    { round: 3, atMs: 22_700, remainingBytes: 70 * mib },
  ];
  const decided = passes.reduce<{ state: CopyState; kinds: string[] }>(
    ({ state, kinds }, pass) => {
      const rest = {
        transferredBytes: 2e8,
        totalBytes: 4e8,
        bytesPerSecond: 11.9e6,
        dirtyBytesPerSecond: 2e7,
      };
      const step = decideAuto(state, { ...pass, ...rest, passBegins: true });
      return { state: step.state, kinds: [...kinds, step.decision.kind] };
    },
    { state: begun, kinds: [] },
  );
  expect(decided.kinds).toEqual(["continue", "switch"]);
});

describe("the cases", () => {
  const normal: Objective = { name: "normal", ...objectives.normal };
  const busy: Guest = {
    touchedBytes: 512 * mib,
    workingSets: [{ bytes: 128 * mib, bytesPerSecond: 800 * mib, order: "scattered", phase: null }],
  };
  const with50 = { maxOutageMs: 50, fixedMs: 8 };

  test("a guest that changes memory far faster than the link carries goes over by post-copy, soon and not throttled", () => {
    const played = play(busy, steady(gigabit), { objective: normal, ...with50 });
    expect(played).toMatchObject({ end: "postcopy", mostThrottle: 0, because: "throttlingWouldNotHelp" });
    expect(played.decidedAtMs).toBeLessThan(10_000);
  });

  test("where post-copy is not allowed it is slowed down to the bound, and then given up with the reason", () => {
    const played = play(busy, steady(gigabit), {
      objective: { ...normal, postcopy: "never" },
      ...with50,
    });
    expect(played).toMatchObject({ end: "notConverging", mostThrottle: 0.5, because: "noLongerShrinking" });
    expect(played.decidedAtMs).toBeLessThan(60_000);
  });

  test("a batch guest is slowed down as far as it takes, and goes over with all its memory", () => {
    const played = play(
      {
        ...busy,
        workingSets: [{ bytes: 128 * mib, bytesPerSecond: 200 * mib, order: "scattered", phase: null }],
      },
      steady(gigabit),
      { objective: { name: "batch", ...objectives.batch }, maxOutageMs: 50, fixedMs: 8 },
    );
    expect(played.end).toBe("moved");
    expect(played.mostThrottle).toBeGreaterThan(0.3);
    expect(played.mostThrottle).toBeLessThanOrEqual(0.9);
  });

  test("a realtime guest is never slowed down", () => {
    const played = play(busy, steady(gigabit), {
      objective: { name: "realtime", ...objectives.realtime },
      ...with50,
    });
    expect(played).toMatchObject({ end: "notConverging", mostThrottle: 0 });
  });

  test("a guest that works in bursts is switched between two of them, without being slowed down", () => {
    const bursts: Guest = {
      touchedBytes: 512 * mib,
      workingSets: [
        {
          bytes: 256 * mib,
          bytesPerSecond: 800 * mib,
          order: "scattered",
          phase: { everyMs: 8000, activeMs: 3000, fromMs: 0 },
        },
      ],
    };
    const played = play(bursts, steady(gigabit), { objective: normal, ...with50 });
    expect(played).toMatchObject({ end: "moved" });
  });

  test("a link that is down for a moment is waited for: nothing is held against the guest", () => {
    const calm: Guest = {
      touchedBytes: 512 * mib,
      workingSets: [{ bytes: 64 * mib, bytesPerSecond: 20 * mib, order: "scattered", phase: null }],
    };
    const down: Link = (atMs) => (atMs > 5000 && atMs < 15_000 ? gigabit / 100 : gigabit);
    const played = play(calm, down, { objective: normal, ...with50 });
    expect(played).toMatchObject({ end: "moved", mostThrottle: 0 });
  });
});

describe("a course, sample by sample", () => {
  const normal: Objective = { name: "normal", ...objectives.normal };
  /** What is decided on the last of some samples; ten a second of the first pass, then one for each pass. */
  const decideOn = (samples: readonly Partial<CopySample>[], maxOutageMs = 250) => {
    let state: CopyState = {
      ...beginCopy(maxOutageMs, 0, Number.POSITIVE_INFINITY),
      auto: beginAuto(normal, 0),
    };
    const kinds: string[] = [];
    let decision: CopyDecision = { kind: "continue" };
    for (const sample of samples) {
      ({ state, decision } = decideAuto(state, {
        ...{ atMs: 0, round: 1, remainingBytes: 100 * mib, transferredBytes: 100 * mib },
        ...{ totalBytes: 320 * mib, bytesPerSecond: gigabit, dirtyBytesPerSecond: 0, passBegins: false },
        ...sample,
      }));
      kinds.push(decision.kind);
    }
    return { decision, kinds };
  };
  const firstPass = (ms: number): Partial<CopySample>[] =>
    Array.from({ length: Math.floor(ms / 250) }, (_, index) => ({ atMs: 250 * (index + 1) }));
  const pass = (atMs: number, round: number, leftMib: number): Partial<CopySample> => ({
    ...{ atMs, round, remainingBytes: leftMib * mib, passBegins: true },
  });

  test("a second pass that fits the pause and would take long is not gone on with", () => {
    expect(decideOn([...firstPass(1000), pass(1000, 2, 20)])).toMatchObject({
      decision: { kind: "switch", memory: "complete", decision: { because: "fits", round: 2 } },
    });
  });

  test("one more pass is made where it costs a twentieth of the time at most, and then no other", () => {
    const long = [...firstPass(10_000), pass(10_000, 2, 20)];
    expect(decideOn(long).decision.kind).toBe("continue");
    expect(decideOn([...long, pass(10_180, 3, 9)]).decision.kind).toBe("continue");
    expect(decideOn([...long, pass(10_460, 3, 9)])).toMatchObject({
      decision: { kind: "switch", decision: { because: "fits" } },
    });
    expect(decideOn([...long, pass(10_180, 3, 1)])).toMatchObject({
      decision: { kind: "switch", decision: { because: "nearlyNothingLeft" } },
    });
    expect(decideOn([...long, pass(10_180, 3, 11)])).toMatchObject({
      decision: { kind: "switch", decision: { because: "noLongerShrinking" } },
    });
  });

  test("a rate that falls while the link is idle is a processor that QEMU waits for, and no slow link", () => {
    const falls = (linkBusyShare: number | null | undefined) =>
      [1250, 1500, 1750, 2000].map((atMs) => ({
        ...{ atMs, bytesPerSecond: gigabit / 10 },
        ...(linkBusyShare === undefined ? {} : { linkBusyShare }),
      }));
    expect(decideOn([...firstPass(1000), ...falls(0.2)]).kinds).not.toContain("tune");
    expect(decideOn([...firstPass(1000), ...falls(null)]).kinds).not.toContain("tune");
    expect(decideOn([...firstPass(1000), ...falls(1)]).kinds).toContain("tune");
    expect(decideOn([...firstPass(1000), ...falls(undefined)]).kinds).toContain("tune");
  });

  test("a dip of a moment is no slow link either", () => {
    const dip = { atMs: 1250, bytesPerSecond: gigabit / 10, linkBusyShare: 1 };
    const { kinds } = decideOn([...firstPass(1000), dip, { atMs: 1500 }, { ...dip, atMs: 1750 }]);
    expect(kinds).not.toContain("tune");
  });

  test("what a switch would take without a processor to spare is reckoned by what the link carries", () => {
    const starved = { bytesPerSecond: gigabit / 20, linkBusyShare: 0.1 };
    const last = { ...pass(1100, 2, 12), ...starved };
    expect(decideOn([...firstPass(1000), last]).decision.kind).toBe("switch");
    expect(decideOn([...firstPass(1000), { ...last, linkBusyShare: 1 }]).decision.kind).toBe("continue");
  });
});

test("how long a copy takes to catch up is what its passes take together", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.01, max: 0.99, noNaN: true }),
      fc.integer({ min: 1, max: 1000 }),
      fc.integer({ min: 1, max: 1000 }),
      (ratio, leftMib, fitMib) => {
        let [left, ms] = [leftMib * mib, 0];
        // Up to a pass more or less, where what is left is just what fits.
        while (left > fitMib * mib * (1 + 1e-9)) {
          ms += (left / gigabit) * 1000;
          left *= ratio;
        }
        const found = catchUpMs(leftMib * mib, fitMib * mib, gigabit * ratio, gigabit);
        expect(Math.abs(found - ms)).toBeLessThanOrEqual((fitMib * mib * 1000) / ratio / gigabit + 1);
      },
    ),
  );
  expect(catchUpMs(2, 1, 1, 1)).toBe(Number.POSITIVE_INFINITY);
});
