/** What is said to an earlier version, and heard from it, means the same. */
import { GodwitError } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { configurations } from "../explore/names.ts";
import { orderFor } from "../explore/inputs.ts";
import {
  initialSource,
  readEntry,
  stepSource,
  toDestinationWire,
  toSourceWire,
  type DestinationEntry,
  type SourceEntry,
  type ToDestination,
  type ToSource,
} from "../src/index.ts";
import { version1 } from "../src/handoff/versions/version-1.ts";

const order = orderFor(configurations.kvm);
const { problem } = GodwitError.of("MOVE_UNKNOWN", { move: order.id });
const address = fc.record({ address: fc.ipV4(), port: fc.integer({ min: 1, max: 65_535 }) });
const ms = fc.integer({ min: 0, max: 100_000 });
const start = fc.record({ contMs: fc.option(ms), resumeMs: fc.option(ms) });
const ran = fc.record({ commitToResumeMs: ms, start }, { requiredKeys: ["commitToResumeMs"] });
const none = fc.constant({});
const failed = fc.constant({ problem });
const unknown = fc.constant({ message: "teleport", problem });

/** The fields of every message; a new message is one here too, or this does not compile. */
const toDestination = {
  prepare: fc.constant({ order }),
  commit: none,
  abandon: none,
  sourceQemuLost: none,
  sourceCleanedUp: none,
  recover: none,
  notUnderstood: unknown,
} satisfies Record<ToDestination["type"], fc.Arbitrary<object>>;
const toSource = {
  prepared: address,
  running: ran,
  ready: none,
  postcopyReceiving: ran,
  streamLost: none,
  announced: fc.record(
    { announceMs: ms, cpu: fc.record({ qemuMs: ms, agentMs: ms }) },
    { requiredKeys: ["announceMs"] },
  ),
  recovering: address,
  gaveUp: failed,
  died: failed,
  notUnderstood: unknown,
} satisfies Record<ToSource["type"], fc.Arbitrary<object>>;

const anyOf = <Message>(fields: Record<string, fc.Arbitrary<object>>): fc.Arbitrary<Message> =>
  fc.oneof(
    ...Object.entries(fields).map(([type, rest]) => rest.map((more) => ({ type, ...more }) as Message)),
  );
const sent = (written: unknown): unknown => JSON.parse(JSON.stringify(written));

test.each([
  ["the destination", toDestinationWire, anyOf<ToDestination>(toDestination), version1.toDestination],
  ["the source", toSourceWire, anyOf<ToSource>(toSource), version1.toSource],
] as const)(
  "every message to %s comes back from the wire as it was, in each version that has it",
  (_, wire, any, names) => {
    fc.assert(
      fc.property(
        any as fc.Arbitrary<ToDestination & ToSource>,
        fc.constantFrom(1, 2),
        (message, version) => {
          const written = wire.write(message, version);
          const isAbsent = version === 1 && (names.absent as readonly string[]).includes(message.type);
          expect(written === null).toBe(isAbsent);
          if (written !== null) expect(wire.read(sent(written), version)).toEqual(message);
        },
      ),
    );
  },
);

test("version 1 receives its own names, and they are not known to today's", () => {
  for (const [wire, names] of [
    [toDestinationWire, version1.toDestination],
    [toSourceWire, version1.toSource],
  ] as const) {
    for (const [today, then] of Object.entries(names.renamed)) {
      const message = { type: today, commitToResumeMs: 1 } as unknown as ToDestination & ToSource;
      expect(wire.write(message, 1)).toMatchObject({ type: then });
      expect(wire.read({ type: then, commitToResumeMs: 1 }, 2)).toBeNull();
    }
  }
});

test("what is no message is not taken for one, in any version", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(1, 2), (said, version) => {
      expect(toDestinationWire.read(said, version)).toBeNull();
      expect(toSourceWire.read(said, version)).toBeNull();
    }),
  );
});

test("entries of version 1 are read as today's, those of a newer version are not guessed at", () => {
  const source = { leaving: "cleaningUp", copying: "copying" } satisfies Record<string, SourceEntry["at"]>;
  const destination = { pulling: "postcopyReceiving", running: "running" } satisfies Record<
    string,
    DestinationEntry["at"]
  >;
  for (const [then, today] of Object.entries(source))
    expect(readEntry("source", { at: then, died: null }, 1)).toEqual({ at: today, died: null });
  for (const [then, today] of Object.entries(destination))
    expect(readEntry("destination", { at: then }, 1)).toEqual({ at: today });
  expect(readEntry("source", { at: "copying" }, 3)).toBeNull();
  expect(readEntry("source", { at: "copying" }, 0)).toBeNull();
});

test("a destination that does not understand what it is to prepare ends the move at once, and only before the copy", () => {
  const message = { type: "notUnderstood", message: "prepare", problem } as const;
  for (const phase of ["sharingLease", "preparing"] as const) {
    const { state, effects } = stepSource(
      { ...initialSource(order, "10.0.2"), phase },
      { type: "message", message, atMs: 0 },
    );
    expect(state).toMatchObject({ phase: "undoing", problem });
    expect(effects).toContainEqual({ do: "send", message: { type: "abandon" } });
  }
  for (const phase of ["copying", "switching", "committed", "cleaningUp", "ended"] as const) {
    const state = { ...initialSource(order, "10.0.2"), phase };
    expect(stepSource(state, { type: "message", message, atMs: 0 })).toEqual({ state, effects: [] });
  }
  const other = { ...message, message: "commit" };
  const preparing = { ...initialSource(order, "10.0.2"), phase: "preparing" as const };
  expect(stepSource(preparing, { type: "message", message: other, atMs: 0 }).effects).toEqual([]);
});
