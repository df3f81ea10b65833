/** A destination whose QEMU cannot receive a post-copy: a move that has it as its last resort goes on without, at both ends. */
import { decisionText, GodwitError } from "@godwit/contract";
import { expect, test } from "vitest";
import { orderFor } from "../explore/inputs.ts";
import { configurations } from "../explore/names.ts";
import {
  chooseStrategy,
  copyLimits,
  initialSource,
  mayLeaveOutPostcopy,
  requestedStrategy,
  restoreDestination,
  restoreSource,
  startDestination,
  stepDestination,
  stepSource,
  type ObservedDestination,
  type ObservedSource,
  type SourceState,
} from "../src/index.ts";

const order = orderFor(configurations.autoWithout);
const postcopyLeftOut = "Postcopy is not supported";
const place = { address: "10.0.0.2", port: 4444 };
const prepared = { type: "prepared", ...place, postcopyLeftOut } as const;

const preparing = (of = order): SourceState => ({ ...initialSource(of, "10.0.2"), phase: "preparing" });
const receives = (state: SourceState) =>
  stepSource(state, { type: "message", message: prepared, atMs: 1000 });
const settingsOf = ({ order: of, qemuVersion }: SourceState) =>
  chooseStrategy(of, qemuVersion).sourceSettings(of, copyLimits(of, qemuVersion)).capabilities;

test("the source copies without post-copy, as the destination is set, and the record says why", () => {
  expect(settingsOf(preparing())["postcopy-ram"]).toBe(true);
  const { state, effects } = receives(preparing());
  expect(state.phase).toBe("copying");
  expect(state.order.objective?.postcopy).toBe("never");
  expect(settingsOf(state)["postcopy-ram"]).toBe(false);
  expect(requestedStrategy(state.order).destinationSettings.capabilities["postcopy-ram"]).toBe(false);
  const decision = { kind: "postcopyLeftOut", host: "b", reason: postcopyLeftOut } as const;
  expect(effects).toEqual([
    { do: "disarm", timer: "prepare" },
    { do: "journal", entry: { at: "copying", withoutPostcopy: true } },
    { do: "note", decision },
    { do: "startCopy", ...place },
  ]);
  expect(decisionText(decision)).toBe(
    "post-copy is left out, because host b does not allow it: Postcopy is not supported",
  );
  // What is said once more changes nothing.
  expect(receives(state)).toEqual({ state, effects: [] });
});

test("the destination writes it down before it says so, and an agent that was restarted says it again", () => {
  const begun = startDestination(order).state;
  const { state, effects } = stepDestination(begun, prepared);
  const entry = { at: "prepared", postcopyLeftOut } as const;
  expect(effects).toEqual([
    { do: "journal", entry },
    { do: "send", message: prepared },
  ]);
  expect(state.order.objective?.postcopy).toBe("never");
  const observed: ObservedDestination = {
    ...{ qemuAlive: true, guestRuns: false, loaded: false, memoryComplete: false, streamBroken: false },
    ...{ failed: false, listening: place },
  };
  const restored = restoreDestination([{ at: "started", order }, entry], observed).state;
  expect(restored.order).toEqual(state.order);
  expect(stepDestination(restored, { type: "peerUp" }).effects).toContainEqual({
    ...{ do: "send", message: prepared },
  });
});

test("a source that was restarted cancels the copy as one of whole memory", () => {
  const { problem } = GodwitError.of("MOVE_CANCELLED", { vm: "web-1", host: "a" });
  const observed: ObservedSource = {
    ...{ qemuVersion: "10.0.2", qemuAlive: true, guestRuns: true, pauseReason: null },
    ...{ copyCompleted: false, copyFailed: false, postcopy: null },
  };
  const splitAfter = (withoutPostcopy: boolean) =>
    restoreSource(
      [
        { at: "started", order },
        { at: "copying", ...(withoutPostcopy ? { withoutPostcopy } : {}) },
        { at: "undoing", problem },
      ],
      observed,
    ).state.memorySplit;
  expect(splitAfter(true)).toBe(false);
  expect(splitAfter(false)).toBe(true);
});

test("only a move that has post-copy as its last resort, from a source that can do without, goes on without it", () => {
  expect(mayLeaveOutPostcopy(order)).toBe(true);
  const { postcopyMayBeLeftOut: _, ...ofEarlierVersion } = order;
  expect(mayLeaveOutPostcopy(ofEarlierVersion)).toBe(false);
  const asked = { ...orderFor(configurations.postcopy), postcopyMayBeLeftOut: true };
  expect(mayLeaveOutPostcopy(asked)).toBe(false);
  // An answer that nobody has asked for.
  for (const one of [asked, ofEarlierVersion]) {
    const { state, effects } = receives(preparing(one));
    expect(state).toMatchObject({ phase: "undoing", problem: { code: "POSTCOPY_UNAVAILABLE" } });
    expect(effects).toContainEqual({ do: "send", message: { type: "abandon" } });
    expect(effects.map((effect) => effect.do)).not.toContain("startCopy");
  }
});

test("a copy of a single pass, which would not have used it, says nothing of it", () => {
  const emulated = { ...order, accelerator: "tcg" } as const;
  const { state, effects } = receives({ ...preparing(emulated), qemuVersion: "7.2.22" });
  expect(state.phase).toBe("copying");
  expect(effects.map((effect) => effect.do)).not.toContain("note");
});
