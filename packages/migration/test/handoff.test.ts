/** The two reducers in a world where everything may fail: never twice, and in the end somewhere. */
import { GodwitError } from "@godwit/contract";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { ALIVE, at, LEASE, QEMU, RAN_AT_DESTINATION, RUNS, STANDS, TRUTH } from "../explore/layout.ts";
import { configurations, type ConfigurationName } from "../explore/names.ts";
import { orderFor } from "../explore/inputs.ts";
import {
  decideLease,
  destinationPhases,
  freeLease,
  initialDestination,
  initialSource,
  isCancellable,
  restoreSource,
  sourcePhases,
  stepDestination,
  stepSource,
  type LeaseQuestion,
  type LeaseState,
  type SourceEffect,
} from "../src/index.ts";
import { limitsRefusal } from "../src/handoff/source-limits.ts";
import { notConverging } from "../src/handoff/source-problems.ts";
import { walk } from "./walk.ts";

// Thousands of walks: how long they take says nothing.
vi.setConfig({ testTimeout: 600_000 });

const order = orderFor(configurations.kvm);
const granted = (fenced: string[] = []) =>
  ({ type: "leaseAnswered", answer: { kind: "granted", mode: "EX", fenced } }) as const;
const shared = { type: "leaseAnswered", answer: { kind: "granted", mode: "SH", fenced: [] } } as const;

/** A random source that a seed repeats. */
function chooser(seed: number): (n: number) => number {
  let state = seed >>> 0 || 1;
  return (n) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return n <= 0 ? 0 : ((state ^ (state >>> 13)) >>> 0) % n;
  };
}

test("with more faults than can be explored one and all, still nothing is wrong and every way ends well", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 0x7fffffff }),
      fc.integer({ min: 0, max: 150 }),
      fc.integer({ min: 0, max: 10 }),
      fc.constantFrom<ConfigurationName>(
        ...(["kvm", "tcg", "postcopy", "auto", "autoFits", "kvmPaused", "postcopyPaused"] as const),
      ),
      (seed, steps, faults, configuration) => {
        const { wrong, story } = walk(configuration, chooser(seed), steps, faults);
        if (wrong !== null) throw new Error(`${wrong}\n${story.join("\n")}`);
      },
    ),
    // The same worlds each time; GODWIT_SEED=2 and so on are others.
    { numRuns: 20_000, seed: Number(process.env.GODWIT_SEED ?? 1) },
  );
});

test.each(["kvm", "postcopy", "auto", "autoFits", "autoWithout"] as const)(
  "without faults every move succeeds: %s",
  (configuration) => {
    for (let seed = 1; seed <= 500; seed++) {
      const { wrong, state } = walk(configuration, chooser(seed), 200, 0);
      expect(wrong).toBeNull();
      expect(at(state, TRUTH)).toBe(RAN_AT_DESTINATION);
      expect(at(state, QEMU)).toBe(0);
      expect(at(state, QEMU + 1) & RUNS).toBe(RUNS);
      expect(at(state, LEASE)).toBeGreaterThan(0);
    }
  },
);

test.each(["kvmPaused", "postcopyPaused"] as const)("a paused guest arrives paused: %s", (configuration) => {
  for (let seed = 1; seed <= 500; seed++) {
    const { wrong, state } = walk(configuration, chooser(seed), 200, 0);
    expect(wrong).toBeNull();
    expect(at(state, TRUTH)).toBe(RAN_AT_DESTINATION | STANDS);
    expect(at(state, QEMU)).toBe(0);
    expect(at(state, QEMU + 1) & (ALIVE | RUNS)).toBe(ALIVE);
  }
});

test("each phase of the tables can be left, but the last", () => {
  for (const table of [sourcePhases, destinationPhases]) {
    for (const [phase, { next }] of Object.entries(table))
      expect((next as readonly string[]).length === 0).toBe(phase === "ended");
  }
});

test("a cancellation after the switch changes nothing", () => {
  const committed = { ...initialSource(order, "10.0.2"), phase: "committed" as const };
  expect(isCancellable(committed)).toBe(false);
  expect(stepSource(committed, { type: "cancel" })).toEqual({ state: committed, effects: [] });
});

test("a move that the source itself refuses ends with the reason, and not as one that somebody cancelled", () => {
  const begun = stepSource(initialSource(order, "10.0.2", "io-error"), { type: "start" }).state;
  const { problem } = GodwitError.of("DESTINATION_RESUMES_PAUSED", {
    ...{ vm: "web-1", host: "b", version: "Godwit (protocol 1)", reason: "io-error" },
  });
  const { state } = stepSource(begun, { type: "cancel", problem });
  expect(state).toMatchObject({ phase: "undoing", problem: { code: "DESTINATION_RESUMES_PAUSED" } });
});

test("a copy of which nothing gets through any more is undone, one that crawls is not", () => {
  const copying = [
    { type: "start" } as const,
    shared,
    { type: "message", message: { type: "prepared", address: "10.0.0.2", port: 4711 }, atMs: 0 } as const,
  ].reduce((state, input) => stepSource(state, input).state, initialSource(order, "10.0.2"));
  const look = (atMs: number, transferredBytes: number) => ({
    type: "sample" as const,
    peerFresh: true,
    sample: {
      ...{
        atMs,
        transferredBytes,
        round: 1,
        remainingBytes: 2 ** 30,
        totalBytes: 2 ** 31,
        bytesPerSecond: 1000,
      },
      ...{ dirtyBytesPerSecond: 0, passBegins: false },
    },
  });
  let state = copying;
  for (let second = 1; second <= 100; second++) state = stepSource(state, look(second * 1000, second)).state;
  expect(state.phase).toBe("copying");
  expect(stepSource(state, look(129_000, 100)).state.phase).toBe("copying");
  const stalled = stepSource(state, look(131_000, 100));
  expect(stalled.state).toMatchObject({ phase: "undoing", problem: { code: "MOVE_COPY_FAILED" } });
  expect(stalled.state.problem?.detail).toMatch(/nothing was sent for 31 s/);
  expect(stalled.effects).toContainEqual({ do: "cancelCopy" });
});

test("the lease alone is no permission to run: an uncommitted copy is given up when its source was fenced", () => {
  const loaded = { ...initialDestination(order), phase: "loaded" as const };
  const { state, effects } = stepDestination(loaded, granted());
  expect(state.phase).toBe("givingUp");
  expect(effects).not.toContainEqual({ do: "resumeVcpus" });
});

test("after its commit the source resumes when the destination gave its lease back, but not when it was fenced", () => {
  const committed = { ...initialSource(order, "10.0.2"), phase: "committed" as const };
  expect(stepSource(committed, granted()).state.phase).toBe("undoing");
  expect(stepSource(committed, granted(["b"])).state.phase).toBe("cleaningUp");
});

test("who hears that the VM was taken back says that it has nothing of it, also when its process died before", () => {
  const { problem } = GodwitError.of("MOVE_UNKNOWN", { move: order.id });
  const ended = {
    ...initialDestination(order),
    phase: "ended" as const,
    outcome: { kind: "died", problem } as const,
  };
  const abandon = { type: "message", message: { type: "abandon" }, atMs: 0 } as const;
  expect(stepDestination(ended, abandon).effects).toEqual([
    { do: "send", message: { type: "gaveUp", problem } },
  ]);
});

test("half a copy that cannot be let run is given back while the stream is whole, and ended when the source has ended it", () => {
  const starting = {
    ...initialDestination(orderFor(configurations.postcopy)),
    ...{ phase: "starting" as const, wasPrepared: true, resumeAttempts: 3 },
  };
  const refused = stepDestination(starting, { type: "resumeFailed", reason: "no" });
  expect(refused.state.phase).toBe("givingBack");
  const done = refused.effects.map((effect) => (effect.do === "send" ? effect.message.type : effect.do));
  expect(done.indexOf("gaveUp")).toBeGreaterThan(done.indexOf("journal"));
  expect(done).not.toContain("remove");
  expect(
    stepDestination(refused.state, { type: "message", message: { type: "commit" }, atMs: 0 }).state.phase,
  ).toBe("givingBack");
  const ended = stepDestination(refused.state, { type: "streamBroken" });
  expect(ended.state.phase).toBe("givingUp");
  expect(ended.effects).toContainEqual({ do: "remove" });
});

test("a post-copy of which nothing gets through has its stream broken, so that it is made again", () => {
  const order = orderFor(configurations.postcopy);
  const begun = [
    { type: "start" } as const,
    shared,
    { type: "message", message: { type: "prepared", address: "10.0.0.2", port: 4711 }, atMs: 0 } as const,
  ].reduce((state, input) => stepSource(state, input).state, initialSource(order, "10.0.2"));
  const sending = { ...begun, phase: "postcopySending" as const, memorySplit: true };
  const look = (state: typeof sending, atMs: number, transferredBytes: number) =>
    stepSource(state, {
      type: "sample",
      peerFresh: true,
      sample: {
        ...{ atMs, transferredBytes, round: 2, remainingBytes: 2 ** 30, totalBytes: 2 ** 31 },
        ...{ bytesPerSecond: 1000, dirtyBytesPerSecond: 0, passBegins: false },
      },
    });
  const { state } = look(sending, 1000, 1);
  expect(look(state as typeof sending, 10_900, 1).effects).toEqual([]);
  expect(look(state as typeof sending, 11_000, 1).effects).toEqual([{ do: "breakStream" }]);
  expect(look(state as typeof sending, 11_000, 2).effects).toEqual([]);
});

test("with a full disk, a prepared destination ends nothing and says nothing before it is written that it gives up", () => {
  const { problem } = GodwitError.of("MOVE_UNKNOWN", { move: order.id });
  const { state: givingUp } = stepDestination(
    { ...initialDestination(order), phase: "loaded", wasPrepared: true },
    { type: "qemuGone", reason: "it died" },
  );
  const { state, effects } = stepDestination(givingUp, { type: "journalFailed", problem });
  expect(effects.map((effect) => effect.do)).toEqual(["arm"]);
  const again = stepDestination(state, { type: "timer", timer: "retry", atMs: 0 });
  expect(again.effects.map((effect) => effect.do).slice(0, 2)).toEqual(["journal", "remove"]);
});

test("a source that comes back without its QEMU says no commit", () => {
  const entries = [{ at: "started", order } as const, { at: "copying" } as const];
  const gone = {
    qemuVersion: "unknown",
    qemuAlive: false,
    guestRuns: false,
    copyCompleted: false,
    copyFailed: false,
    postcopy: null,
    pauseReason: null,
  };
  const { state, effects } = restoreSource(entries, gone);
  expect(state.phase).toBe("committed");
  expect(effects).toContainEqual({ do: "send", message: { type: "sourceQemuLost" } });
  expect(effects).not.toContainEqual({ do: "send", message: { type: "commit" } });
});

test("a post-copy that cannot be undone is written down before its commit, and a restart goes on from there", () => {
  const order = orderFor(configurations.postcopy);
  const { problem } = GodwitError.of("MOVE_UNKNOWN", { move: order.id });
  const undoing = {
    ...initialSource(order, "7.2.22"),
    ...{ phase: "undoing" as const, memorySplit: true, guestRuns: false, problem },
  };
  const { state: stuck, effects } = stepSource(undoing, { type: "copyStuck", reason: "its stream broke" });
  const does = effects.map((effect) => effect.do);
  expect(effects).toContainEqual({ do: "send", message: { type: "commit" } });
  expect(does.indexOf("journal")).toBeLessThan(does.indexOf("send"));

  const unwritten = stepSource(stuck, { type: "journalFailed", problem });
  expect(unwritten.state.phase).toBe("undoing");
  expect(unwritten.effects.map((effect) => effect.do)).toEqual(["arm"]);

  const entries = [
    { at: "started", order } as const,
    ...(["copying", "postcopy"] as const).map((at) => ({ at })),
    { at: "undoing", problem } as const,
    { at: "postcopy" } as const,
  ];
  const observed = {
    ...{ qemuVersion: "7.2.22", qemuAlive: true, guestRuns: false, pauseReason: null },
    ...{ copyCompleted: false, copyFailed: false, postcopy: "active" as const },
  };
  const restored = restoreSource(entries, observed);
  expect(restored.state.phase).toBe("committed");
  expect(restored.effects.map((effect) => effect.do)).not.toContain("cancelCopy");
  const cancelled = restoreSource(entries, { ...observed, postcopy: null, copyFailed: true });
  expect(cancelled.effects).toContainEqual({ do: "send", message: { type: "sourceQemuLost" } });
  expect(cancelled.effects.map((effect) => effect.do)).not.toContain("resumeVcpus");
});

test("a post-copy that neither host can go on with gives its lease back only when its QEMU is gone", () => {
  const { problem } = GodwitError.of("MOVE_UNKNOWN", { move: order.id });
  const undoing = {
    ...initialSource(orderFor(configurations.postcopy), "7.2.22"),
    ...{ phase: "undoing" as const, memorySplit: true, guestRuns: false, destinationGaveUp: true, problem },
  };
  const stuck = stepSource(undoing, { type: "copyStuck", reason: "its stream broke" });
  expect(stuck.effects).toEqual([{ do: "remove" }]);
  expect(stuck.state.phase).toBe("undoing");
  const gone = stepSource(stuck.state, { type: "qemuGone", reason: "it was ended", heardAll: true });
  expect(gone.state.outcome).toMatchObject({
    kind: "lost",
    problem: { code: "MOVE_VM_LOST", detail: expect.stringMatching(/its stream broke/) as string },
  });
  expect(gone.effects.at(-1)).toEqual({ do: "releaseLease" });
});

test("a destination with all its memory is not ready for a post-copy: the source waits for its own QEMU", () => {
  const receiving = {
    ...initialDestination(orderFor(configurations.postcopy)),
    phase: "receiving" as const,
    wasPrepared: true,
  };
  const ready = { do: "send", message: { type: "ready" } };
  expect(stepDestination(receiving, { type: "loaded", memoryComplete: false }).effects).toContainEqual(ready);
  expect(stepDestination(receiving, { type: "loaded", memoryComplete: true }).effects).not.toContainEqual(
    ready,
  );
});

test("a guest whose start waits for memory that comes no more is ended, and the lease is asked for meanwhile", () => {
  const order = orderFor(configurations.postcopy);
  const loaded = { ...initialDestination(order), phase: "loaded" as const, memoryComplete: false };
  const commit = { type: "message", message: { type: "commit" }, atMs: 0 } as const;
  const { state: starting, effects } = stepDestination(loaded, commit);
  expect(starting.phase).toBe("starting");
  expect(effects).toContainEqual(expect.objectContaining({ do: "arm", timer: "commit" }));
  const asked = stepDestination(starting, { type: "timer", timer: "commit", atMs: 0 });
  expect(asked.effects.map((effect) => effect.do)).toEqual(["exclusiveLease", "arm"]);
  for (const input of [{ type: "message", message: { type: "sourceQemuLost" }, atMs: 0 } as const, granted()])
    expect(stepDestination(starting, input).state.phase).toBe("died");
  expect(stepDestination({ ...starting, memoryComplete: true }, granted()).state.phase).toBe("starting");
});

test("of any questions in any order, an exclusive holder is alone, and the version grows with each new one", () => {
  const host = fc.constantFrom("a", "b", "c");
  const mode = fc.constantFrom("EX" as const, "SH" as const);
  const number = fc.integer({ min: 0, max: 20 });
  const question: fc.Arbitrary<LeaseQuestion> = fc.oneof(
    fc.record({ ask: fc.constant("acquire" as const), host, mode, number }),
    fc.record({ ask: fc.constant("convert" as const), host, mode, number }),
    fc.record({ ask: fc.constant("release" as const), host, number }),
    fc.record({ ask: fc.constant("fence" as const), host }),
  );
  fc.assert(
    fc.property(fc.array(question, { maxLength: 40 }), (questions) => {
      let lease: LeaseState = freeLease;
      for (const asked of questions) {
        const decision = decideLease(lease, asked);
        if (decision.kind === "overtaken") {
          expect(asked.ask).not.toBe("fence");
          continue;
        }
        const next = decision.lease;
        const exclusive = next.holders.find((one) => one.mode === "EX");
        if (exclusive !== undefined) expect(next.holders).toHaveLength(1);
        expect(new Set(next.holders.map((one) => one.host)).size).toBe(next.holders.length);
        const isNew = exclusive !== undefined && exclusive.host !== lease.lastExclusiveHost;
        expect(next.version - lease.version).toBe(isNew ? 1 : 0);
        if (decision.kind !== "granted") expect(next.holders).toEqual(lease.holders);
        const of = (state: LeaseState) => state.holders.find((one) => one.host === asked.host)?.mode;
        // What was granted is what was asked for, or more where it was there already.
        if (decision.kind === "granted") {
          const isGain = asked.ask === "acquire" && of(lease) === "EX";
          expect(of(next)).toBe("mode" in asked ? (isGain ? "EX" : asked.mode) : undefined);
        }
        if (decision.kind === "held")
          expect(decision.others.some((one) => one.host !== asked.host)).toBe(true);
        // Asked again at once, the answer is the same and nothing changes any more.
        const again = decideLease(next, asked);
        expect(again.kind).toBe(decision.kind);
        expect(again.kind === "overtaken" ? null : again.lease).toEqual(next);
        lease = next;
      }
    }),
  );
});

/** A source whose copy runs, as far as the reducer knows. */
function copying() {
  let { state } = stepSource(initialSource(order, "10.0.2"), { type: "start" });
  state = stepSource(state, { type: "peerUp" }).state;
  state = stepSource(state, shared).state;
  const message = { type: "prepared", address: "10.0.2.12", port: 49_152 } as const;
  return stepSource(state, { type: "message", message, atMs: 0 }).state;
}

test("a copy that ends says why in the words of who knows more than QEMU", () => {
  expect(copying().phase).toBe("copying");
  const { problem } = GodwitError.of("MIGRATION_NOT_CONNECTED", {
    ...{ vm: "web-1", from: "a", host: "b", address: "10.0.2.12", port: 49_152, forMs: 8000 },
  });
  const ended = stepSource(copying(), { type: "copyEnded", reason: "x", problem });
  expect(ended.state).toMatchObject({ phase: "undoing", problem });
  const plain = stepSource(copying(), { type: "copyEnded", reason: "Broken pipe." });
  expect(plain.state.problem).toMatchObject({
    code: "MOVE_COPY_FAILED",
    detail: "QEMU could not send VM vm-1: Broken pipe.".replace("vm-1", order.vm.name),
  });
});

test("an agent that was never reached, one that fell silent, and one that is away at the switch are three sentences", () => {
  const late = { type: "timer", timer: "prepare", atMs: 30_000 } as const;
  const { state } = stepSource(initialSource(order, "10.0.2"), { type: "start" });
  expect(stepSource(state, late).state.problem).toMatchObject({ code: "MOVE_PEER_UNREACHED" });
  const cut = stepSource(copying(), { type: "peerDown" }).state;
  const silent = stepSource(cut, { type: "timer", timer: "peer", atMs: 5000 }).state.problem;
  expect(silent?.detail).toContain("did not respond for 5 s");
  const atSwitch = stepSource(cut, { type: "preSwitchover", atMs: 0 }).state.problem;
  expect(atSwitch).toMatchObject({ code: "MOVE_PEER_LOST", details: { forMs: null } });
});

const sampleOf = (remainingBytes: number) => ({
  ...{
    atMs: 1e9,
    round: 2,
    remainingBytes,
    transferredBytes: 1e6,
    totalBytes: 64e6,
  },
  ...{ bytesPerSecond: 1e8, dirtyBytesPerSecond: 1e6, passBegins: true },
});

/** What a step's notes say, as the record keeps them. */
const notes = (effects: readonly SourceEffect[]): string[] =>
  effects.flatMap((effect) => (effect.do === "note" ? [effect.decision.kind] : []));

test("what a source decides is noted for its record", () => {
  const sample = {
    type: "sample",
    sample: sampleOf(4096),
    peerFresh: true,
  } as const;
  const pausing = stepSource(copying(), sample);
  expect(pausing.state.phase).toBe("pausing");
  expect(notes(pausing.effects)).toEqual(["switch"]);
  const late = { type: "timer", timer: "budget", atMs: 1e9 + 40 } as const;
  expect(notes(stepSource(pausing.state, late).effects)).toEqual(["backedOut"]);
  const postcopy = orderFor(configurations.postcopy);
  const split = stepSource(
    { ...copying(), order: postcopy, qemuVersion: "7.2.22" },
    {
      ...sample,
      sample: sampleOf(32e6),
    },
  );
  expect(split.state.memorySplit).toBe(true);
  expect(notes(split.effects)).toEqual(["postcopy"]);
  const undoing = { ...copying(), phase: "undoing" as const };
  expect(notes(stepSource(undoing, { type: "resumeFailed", reason: "no" }).effects)).toEqual([
    "resumeRefused",
  ]);
  const committed = {
    ...copying(),
    order: postcopy,
    phase: "committed" as const,
    memorySplit: true,
  };
  expect(notes(stepSource(committed, { type: "streamBroken" }).effects)).toEqual(["streamBroken"]);
  const receiving = { type: "postcopyReceiving", commitToResumeMs: 1 } as const;
  const sending = stepSource(committed, {
    type: "message",
    message: receiving,
    atMs: 0,
  });
  expect(notes(sending.effects)).toEqual(["runsWhileMemoryArrives"]);
});

test("a guest that runs at the destination is announced there, and the source is told how long that took", () => {
  const starting = {
    ...initialDestination(order),
    ...{
      phase: "starting" as const,
      wasPrepared: true,
      memoryComplete: true,
      commitAtMs: 1,
    },
  };
  const whole = stepDestination(starting, {
    type: "resumed",
    commitToResumeMs: 3,
    start: null,
  });
  expect(whole.effects).toContainEqual({ do: "announce" });
  expect(whole.effects).toContainEqual({
    do: "send",
    message: { type: "running", commitToResumeMs: 3 },
  });
  const start = { contMs: 1, resumeMs: 2 };
  const half = stepDestination(
    {
      ...starting,
      order: orderFor(configurations.postcopy),
      memoryComplete: false,
    },
    { type: "resumed", commitToResumeMs: 3, start },
  );
  expect(half.effects).toContainEqual({ do: "announce" });
  expect(half.effects).toContainEqual({
    ...{
      do: "send",
      message: { type: "postcopyReceiving", commitToResumeMs: 3, start },
    },
  });
  expect(stepDestination(whole.state, { type: "announced", announceMs: 7 }).effects).toEqual([
    { do: "send", message: { type: "announced", announceMs: 7 } },
  ]);
});

test("a copy that never ends says what it took, and why where that is known", () => {
  const decision = { kind: "notConverging", rounds: 9 } as const;
  const known = notConverging(copying(), { ...decision, bestMs: 70, because: "deadline" }, 2);
  expect(known.details).toMatchObject({
    bestMs: 70,
    rounds: 9,
    backOuts: 2,
    because: "deadline",
  });
  const unknown = notConverging(copying(), { ...decision, bestMs: Number.POSITIVE_INFINITY }, 0);
  expect(unknown.details).toMatchObject({ bestMs: order.maxOutageMs });
  expect(unknown.details).not.toHaveProperty("because");
});

test("an agent that comes back says of a guest that has shut itself down that it did", () => {
  const entries = [{ at: "started", order } as const];
  const observed = {
    ...{
      qemuVersion: "10.0.2",
      qemuAlive: true,
      guestRuns: false,
      pauseReason: "shutdown" as const,
    },
    ...{ copyCompleted: false, copyFailed: false, postcopy: null },
  };
  expect(restoreSource(entries, observed).state.problem?.code).toBe("MOVE_GUEST_SHUT_DOWN");
  const paused = restoreSource(entries, {
    ...observed,
    pauseReason: "io-error",
  });
  expect(paused.state.problem?.code).toBe("MOVE_COPY_FAILED");
});

test("other limits change the pace and the budget of a running copy, once, and are told", () => {
  const before = copying();
  const limits = { bandwidthBytesPerSecond: 5e6, maxOutageMs: 300 };
  const { state, effects } = stepSource(before, { type: "limits", limits, because: "asked" });
  expect(state).toMatchObject({ phase: "copying", order: limits, copy: { maxOutageMs: 300 } });
  expect(effects).toEqual([
    { do: "tune", parameters: { "max-bandwidth": 5e6, "max-postcopy-bandwidth": 5e6 } },
    { do: "note", decision: { kind: "limits", ...limits, because: "asked" } },
  ]);
  expect(stepSource(state, { type: "limits", limits, because: "shared" })).toEqual({ state, effects: [] });
  const only = stepSource(state, { type: "limits", limits: { maxOutageMs: 50 }, because: "asked" });
  expect(only.effects).toMatchObject([{ do: "note" }]);
  expect(only.state.order.bandwidthBytesPerSecond).toBe(5e6);
  // Before the copy QEMU has no parameters yet: it gets them with its settings.
  const early = stepSource(initialSource(order, "10.0.2"), { type: "limits", limits, because: "asked" });
  expect(early.effects).toMatchObject([{ do: "note" }]);
  expect(early.state.order).toMatchObject(limits);
});

test("limits that come too late change nothing, and why is told", () => {
  const limits = { maxOutageMs: 300 };
  const refused = { ...copying(), phase: "switching" } as const;
  for (const phase of ["pausing", "switching", "undoing", "committed", "cleaningUp", "ended"] as const) {
    const state = { ...refused, phase };
    expect(limitsRefusal(state, limits)).toMatch(/[a-z]$/);
    expect(stepSource(state, { type: "limits", limits, because: "asked" })).toEqual({ state, effects: [] });
  }
  const rest = { ...refused, phase: "postcopySending" } as const;
  expect(limitsRefusal(rest, limits)).toMatch(/no pause is left/);
  const more = { bandwidthBytesPerSecond: null };
  expect(limitsRefusal(rest, more)).toBeNull();
});
