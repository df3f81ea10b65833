/** What users are told of a move, over any course of it. */
import { moveRecordSchema } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { configurations } from "../explore/names.ts";
import { orderFor, sourceInputs } from "../explore/inputs.ts";
import {
  initialSource,
  newRecord,
  pauseOf,
  recordDecision,
  recordState,
  sourcePhases,
  standstillMs,
  unseenOf,
  stepSource,
  type PauseMoments,
} from "../src/index.ts";

const at = "2026-11-28T12:00:00.000Z";
const later = "2026-11-28T12:00:05.000Z";
const order = orderFor(configurations.kvm);

test("whatever a source goes through, its record's phases are those of the table, reported once each, and its end is reported truly", () => {
  const inputs = Object.values(sourceInputs(configurations.kvm));
  const shown = new Set<unknown>(Object.values(sourcePhases).map(({ shownAs }) => shownAs));
  for (const phase of ["planned", "cancelling", "failing", "succeeded", "cancelled", "failed"])
    shown.add(phase);
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...inputs), { maxLength: 60 }), (course) => {
      let state = initialSource(order, "10.0.2");
      let record = newRecord(order, at);
      for (const input of [{ type: "start" } as const, ...course]) {
        ({ state } = stepSource(state, input));
        record = recordState(record, state, later);
      }
      for (const [index, { phase }] of record.phases.entries()) {
        expect(shown).toContain(phase);
        expect(phase).not.toBe(record.phases[index - 1]?.phase);
      }
      expect(record.phases.at(-1)?.phase).toBe(record.phase);
      if (state.phase === "ended") {
        const moved = state.outcome?.kind === "moved";
        expect(record.phase === "succeeded").toBe(moved);
        expect(record.error === null).toBe(moved);
        expect(record.totalMs).toBe(5000);
      } else expect(record.totalMs).toBeNull();
      expect(moveRecordSchema.parse(JSON.parse(JSON.stringify(record)))).toEqual(record);
    }),
  );
});

test("a decision is data with its sentence, and one of a version that kept sentences only can still be read", () => {
  const record = recordDecision(newRecord(order, at), { kind: "backedOut", afterMs: 41.7 }, at);
  expect(record.decisions).toEqual([
    {
      at,
      kind: "backedOut",
      afterMs: 41.7,
      text: "switch backed out after 42 ms: it would have taken longer than allowed",
    },
  ]);
  const old = { ...record, decisions: [{ at, text: "switch: 12 KiB left" }], pause: undefined };
  expect(moveRecordSchema.parse(old)).toMatchObject({
    pause: null,
    decisions: [{ at, kind: "note", text: "switch: 12 KiB left" }],
  });
});

test("the parts of a pause add up to the time from STOP to the guest running, however the hosts' clocks differ", () => {
  const ms = fc.double({ min: 0, max: 1000, noNaN: true });
  fc.assert(
    fc.property(
      fc.tuple(ms, ms, ms, ms, ms, ms),
      fc.tuple(ms, ms, ms),
      ([toStop, lastPages, veto, device, commit, travel], [cont, resume, toAnswer]) => {
        const decidedAtMs = 1_000_000;
        const stoppedAtMs = decidedAtMs + toStop;
        const preSwitchoverAtMs = stoppedAtMs + lastPages;
        const deviceAtMs = preSwitchoverAtMs + veto;
        const completedAtMs = deviceAtMs + device;
        const committedAtMs = completedAtMs + commit;
        const commitToAnswerMs = cont + resume + toAnswer + 0.01;
        const moments: PauseMoments = {
          ...{ decidedAtMs, stoppedAtMs, preSwitchoverAtMs, deviceAtMs, completedAtMs, committedAtMs },
          answeredAtMs: committedAtMs + 2 * travel + commitToAnswerMs,
        };
        const pause = pauseOf(moments, { contMs: cont, resumeMs: resume }, commitToAnswerMs);
        const whole = lastPages + veto + device + commit + travel + cont + resume;
        expect(Math.abs((standstillMs(pause) ?? 0) - whole)).toBeLessThan(0.1);
        expect(pause.decisionMs).toBeCloseTo(toStop, 1);
        // A part that nobody saw is never taken for zero.
        const blind = pauseOf({ ...moments, completedAtMs: null }, null, commitToAnswerMs);
        expect(blind).toMatchObject({ deviceStateMs: null, commitMs: null, contMs: null, resumeMs: null });
        expect(standstillMs(blind)).toBeNull();
        expect([unseenOf(pause), unseenOf(blind)]).toEqual([
          null,
          expect.stringMatching(/device state.* copy was complete.* began to let the guest run/),
        ]);
      },
    ),
  );
});
