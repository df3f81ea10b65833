/** What seldom happens in a handoff, each as a story of its own: broken streams, restarts, full disks, three hosts. */
import { GodwitError, objectives } from "@godwit/contract";
import { expect, test } from "vitest";
import { orderFor } from "../explore/inputs.ts";
import { configurations } from "../explore/names.ts";
import {
  decideLease,
  freeLease,
  initialDestination,
  initialSource,
  restoreDestination,
  stepDestination,
  stepSource,
  type DestinationState,
  type LeaseState,
  type SourceEffect,
  type SourceState,
} from "../src/index.ts";

const order = orderFor(configurations.kvm);
const split = orderFor(configurations.postcopy);
const { problem } = GodwitError.of("MOVE_UNKNOWN", { move: order.id });
const exclusive = (fenced: string[] = []) =>
  ({ type: "leaseAnswered", answer: { kind: "granted", mode: "EX", fenced } }) as const;
const message = <Type extends string>(type: Type) =>
  ({ type: "message", message: { type }, atMs: 0 }) as const;

/** Of a post-copy whose guest may run at the destination, without all its memory. */
const sending = (phase: "committed" | "postcopySending", more: Partial<SourceState> = {}): SourceState => ({
  ...initialSource(split, "7.2.22"),
  ...{ phase, memorySplit: true, guestRuns: false, peerUp: true },
  ...more,
});
const destination = (
  phase: DestinationState["phase"],
  more: Partial<DestinationState> = {},
): DestinationState => ({
  ...initialDestination(order),
  ...{ phase, wasPrepared: true },
  ...more,
});
/** What is done, with what is said in place of `send`, and which timer. */
const done = (effects: readonly { do: string; message?: { type: string }; timer?: string }[]): string[] =>
  effects.map((effect) => [effect.message?.type ?? effect.do, effect.timer].filter(Boolean).join(" "));

test("a destination that has lost its stream has it broken at the source too, once, and by a QEMU that is there", () => {
  const lost = { type: "message", message: { type: "streamLost" }, atMs: 0 } as const;
  const first = stepSource(sending("committed"), lost);
  expect(first.state.phase).toBe("postcopySending");
  expect(done(first.effects)).toEqual(["note", "breakStream"]);
  expect(done(stepSource(sending("postcopySending"), lost).effects)).toEqual(["breakStream"]);
  // This end knows it already: the destination is asked to listen again.
  const known = stepSource(sending("committed", { streamBroken: true }), lost);
  expect(known.state.phase).toBe("postcopySending");
  expect(done(known.effects)).toEqual(["note", "recover", "arm retry"]);
  expect(stepSource(sending("postcopySending", { qemuAlive: false }), lost).effects).toEqual([]);
  const late = sending("committed");
  for (const phase of ["switching", "undoing", "cleaningUp", "ended"] as const)
    expect(stepSource({ ...late, phase }, lost)).toEqual({ state: { ...late, phase }, effects: [] });
});

test("a post-copy whose copy or QEMU ends at the source says so at once, and is not tried again", () => {
  const ended = stepSource(sending("committed", { streamBroken: true }), { type: "copyEnded", reason: "no" });
  expect(ended.state).toMatchObject({ phase: "committed", commitForbidden: true, streamBroken: false });
  expect(done(ended.effects)).toEqual(["disarm retry", "sourceQemuLost"]);
  for (const phase of ["committed", "postcopySending"] as const) {
    const gone = stepSource(sending(phase), { type: "qemuGone", reason: "it died", heardAll: true });
    expect(done(gone.effects)).toEqual(["sourceQemuLost"]);
  }
  // With all the memory at the destination nobody needs this QEMU any more.
  const whole = sending("committed", { memorySplit: false });
  expect(stepSource(whole, { type: "copyEnded", reason: "no" })).toEqual({ state: whole, effects: [] });
  expect(stepSource(whole, { type: "qemuGone", reason: "it died", heardAll: true }).effects).toEqual([]);
});

test("a destination listens again for as long as its guest can still go on with what arrives", () => {
  const on = (phase: DestinationState["phase"], of = split) =>
    done(stepDestination(destination(phase, { order: of }), message("recover")).effects);
  for (const phase of ["receiving", "loaded", "starting", "postcopyReceiving"] as const)
    expect(on(phase)).toEqual(["recoverStream"]);
  expect(on("running")).toEqual(["running"]);
  for (const phase of ["preparing", "starting"] as const) expect(on(phase, order)).toEqual([]);
});

test("a destination that never heard a commit gives up when it hears that the source's QEMU is gone", () => {
  for (const phase of ["preparing", "receiving", "loaded"] as const)
    expect(stepDestination(destination(phase), message("sourceQemuLost")).state.phase).toBe("givingUp");
  const whole = destination("starting", { memoryComplete: true });
  expect(stepDestination(whole, message("sourceQemuLost"))).toEqual({ state: whole, effects: [] });
});

test("a source that is away when a commit has been heard, or a stream broke, is not waited for by the same clock", () => {
  const away = { type: "timer", timer: "peer", atMs: 0 } as const;
  for (const more of [{ commitAtMs: 1 }, { streamBroken: true }]) {
    const { state, effects } = stepDestination(destination("receiving", { peerUp: false, ...more }), away);
    expect(state.phase).toBe("receiving");
    expect(done(effects)).toEqual(["arm commit"]);
  }
});

test("a paused guest that has arrived is not told, and its move not ended, before that is written down", () => {
  const unwritten = { pauseReason: "user" as const, unwritten: true };
  const paused = destination("running", unwritten);
  const alone = stepDestination(paused, exclusive());
  expect(alone.state).toEqual(paused);
  expect(done(alone.effects)).toEqual(["arm retry"]);
  const written = stepDestination(destination("running", { pauseReason: "user" }), exclusive());
  expect(written.state.phase).toBe("ended");
  // Without a reason to wait for its journal, what gives a VM back does not wait for it either.
  expect(
    stepDestination(destination("givingBack", { unwritten: true, problem }), exclusive()).effects,
  ).toEqual([]);
  const up = { type: "peerUp" } as const;
  for (const [phase, says] of [
    ["running", "running"],
    ["postcopyReceiving", "postcopyReceiving"],
  ] as const) {
    expect(done(stepDestination(destination(phase, unwritten), up).effects)).toEqual(["disarm peer"]);
    expect(done(stepDestination(destination(phase), up).effects)).toEqual(["disarm peer", says]);
  }
});

test("an agent that finds its guest running goes on with it, whatever its journal had room for", () => {
  const observed = {
    ...{ qemuAlive: true, guestRuns: true, loaded: true, memoryComplete: true },
    ...{ streamBroken: false, failed: false, listening: null },
  };
  const entries = [{ at: "started", order } as const];
  const found = restoreDestination(entries, observed);
  expect(found.state.phase).toBe("running");
  expect(done(found.effects)).not.toContain("remove");
  expect(restoreDestination(entries, { ...observed, guestRuns: false }).state.phase).toBe("givingUp");
});

test("a source that has ended tells a destination that runs on that it has cleaned up", () => {
  const running = { type: "message", message: { type: "running", commitToResumeMs: 0 }, atMs: 0 } as const;
  const ended = { ...initialSource(order, "10.0.2"), phase: "ended", outcome: { kind: "moved" } } as const;
  expect(done(stepSource(ended, running).effects)).toEqual(["sourceCleanedUp"]);
  expect(stepSource({ ...ended, phase: "copying" }, running).effects).toEqual([]);
});

test("who loses a guest with half its memory says whether its host was fenced or gave the lease back", () => {
  const reasonOf = (fenced: string[]) => {
    const { state } = stepSource(sending("postcopySending"), exclusive(fenced));
    expect(state.phase).toBe("cleaningUp");
    return state.problem?.detail;
  };
  expect(reasonOf(["b"])).toMatch(/was fenced before it had said/);
  expect(reasonOf([])).toMatch(/gave the VM's lease back before it had all/);
});

test("of three hosts that share a lease, each one that was fenced is remembered", () => {
  const holders = ["a", "b", "c"].map((host) => ({ host, mode: "SH" as const }));
  const fenced = ["b", "c"].reduce<LeaseState>(
    (lease, host) => {
      const decision = decideLease(lease, { ask: "fence", host });
      return decision.kind === "granted" ? decision.lease : lease;
    },
    { ...freeLease, holders },
  );
  expect(fenced).toMatchObject({ holders: [{ host: "a" }], fenced: ["b", "c"] });
});

test("a guest that is slowed down so that its copy ends is slowed down in QEMU, and that is noted", () => {
  const objective = { name: "batch", ...objectives.batch } as const;
  const slow = { ...orderFor(configurations.autoFits), objective };
  let state = [
    { type: "start" } as const,
    { type: "leaseAnswered", answer: { kind: "granted", mode: "SH", fenced: [] } } as const,
    { type: "message", message: { type: "prepared", address: "10.0.0.2", port: 4711 }, atMs: 0 } as const,
  ].reduce((before, input) => stepSource(before, input).state, initialSource(slow, "10.0.2"));
  let tuned: readonly SourceEffect[] = [];
  for (let round = 1; round < 200 && tuned.length === 0; round++) {
    const sample = {
      ...{
        atMs: round * 1000,
        round,
        remainingBytes: 1.05e8,
        transferredBytes: round * 1e8,
        totalBytes: 1e9,
      },
      ...{ bytesPerSecond: 1e8, dirtyBytesPerSecond: 1.05e8, passBegins: true },
    };
    ({ state, effects: tuned } = stepSource(state, { type: "sample", peerFresh: true, sample }));
  }
  expect(tuned).toMatchObject([
    { do: "tune", parameters: expect.anything() as object },
    { do: "note", decision: { kind: "throttle" } },
  ]);
});

test("a guest that is being let run after a back-out is not stopped again before QEMU has said that it runs", () => {
  const sample = {
    ...{ atMs: 1e9, round: 2, remainingBytes: 4096, transferredBytes: 1e6, totalBytes: 64e6 },
    ...{ bytesPerSecond: 1e8, dirtyBytesPerSecond: 1e6, passBegins: true },
  };
  const begun = [
    { type: "start" } as const,
    { type: "leaseAnswered", answer: { kind: "granted", mode: "SH", fenced: [] } } as const,
    { type: "peerUp" } as const,
    { type: "message", message: { type: "prepared", address: "10.0.0.2", port: 4711 }, atMs: 0 } as const,
    { type: "sample", peerFresh: true, sample } as const,
    { type: "timer", timer: "budget", atMs: 1e9 + 45 } as const,
  ].reduce((state, input) => stepSource(state, input).state, initialSource(order, "10.0.2"));
  expect(begun).toMatchObject({ phase: "copying", resuming: true });
  const later = {
    type: "sample",
    peerFresh: true,
    sample: { ...sample, atMs: 1e9 + 2000, transferredBytes: 2e6, round: 3 },
  } as const;
  // The answer would come in an undone move, and be taken for its own while the guest stands still.
  expect(stepSource(begun, later).state.phase).toBe("copying");
  const runs = stepSource(begun, { type: "resumed" }).state;
  expect(stepSource(runs, later).state.phase).toBe("pausing");
});
