/** The tables of phases are enforced. That they list just what happens, `explore.test.ts` shows. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  destinationPhases,
  enterDestinationPhase,
  enterSourcePhase,
  hearWithoutMove,
  movePhaseOfDestination,
  sourcePhases,
  UnlistedTransition,
  type DestinationPhase,
  type SourcePhase,
} from "../src/index.ts";
import { GodwitError, type MoveId } from "@godwit/contract";

test("a phase is entered only from where the table says", () => {
  const source = fc.constantFrom(...(Object.keys(sourcePhases) as SourcePhase[]));
  const destination = fc.constantFrom(...(Object.keys(destinationPhases) as DestinationPhase[]));
  fc.assert(
    fc.property(source, source, (phase, next) => {
      const isListed = phase === next || (sourcePhases[phase].next as readonly string[]).includes(next);
      if (isListed) expect(enterSourcePhase({ phase }, next)).toEqual({ phase: next });
      else expect(() => enterSourcePhase({ phase }, next)).toThrow(UnlistedTransition);
    }),
  );
  fc.assert(
    fc.property(destination, destination, (phase, next) => {
      const isListed = phase === next || (destinationPhases[phase].next as readonly string[]).includes(next);
      if (isListed) expect(enterDestinationPhase({ phase }, next)).toEqual({ phase: next });
      else expect(() => enterDestinationPhase({ phase }, next)).toThrow(UnlistedTransition);
    }),
  );
});

test("a host that does not run a move answers by how it ended there, and refuses for good what it never knew", () => {
  const id = "11111111-1111-4111-8111-111111111111" as MoveId;
  const { problem } = GodwitError.of("MOVE_UNKNOWN", { move: id });
  const ended = (kind: "runs" | "gaveUp" | "died") =>
    ({ kind: "ended", outcome: kind === "runs" ? { kind } : { kind, problem } }) as const;
  expect(hearWithoutMove({ kind: "unknown" }, id, "prepare")).toEqual({ do: "begin" });
  expect(hearWithoutMove({ kind: "refused" }, id, "prepare")).toMatchObject({ do: "answer", refuse: true });
  expect(hearWithoutMove({ kind: "unknown" }, id, "commit")).toMatchObject({
    answer: { type: "gaveUp" },
    refuse: true,
  });
  expect(hearWithoutMove({ kind: "unknown" }, id, "sourceCleanedUp")).toEqual({
    ...{ do: "answer", answer: null, refuse: false },
  });
  // Over for good: a late `prepare` does not begin it again.
  expect(hearWithoutMove(ended("runs"), id, "prepare")).toMatchObject({ answer: { type: "running" } });
  expect(hearWithoutMove(ended("died"), id, "commit")).toMatchObject({ answer: { type: "died" } });
  // A source that takes its VM back had not committed, so nothing ran here.
  expect(hearWithoutMove(ended("died"), id, "abandon")).toMatchObject({ answer: { type: "gaveUp" } });
});

test("what users see of the destination's half while the source does not answer", () => {
  const state = { phase: "postcopyReceiving", outcome: null } as Parameters<typeof movePhaseOfDestination>[0];
  expect(movePhaseOfDestination(state, "copying")).toBe("postcopy");
  expect(movePhaseOfDestination({ ...state, phase: "restarted" }, "copying")).toBe("copying");
});
