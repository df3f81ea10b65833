/** What a host concludes from the record of a move that is over there. */
import { GodwitError } from "@godwit/contract";
import { expect, test } from "vitest";
import { outcomeOf } from "../src/moves/move-records.ts";

test("only a record of success says that the guest runs; one that tells no end says nothing", () => {
  const { problem: lost } = GodwitError.of("MOVE_VM_LOST", { vm: "web-1", host: "b", reason: "it ended" });
  const { problem: cancelled } = GodwitError.of("MOVE_CANCELLED", { vm: "web-1", host: "a" });
  expect(outcomeOf({ phase: "succeeded", error: null })).toEqual({ kind: "runs" });
  expect(outcomeOf({ phase: "failed", error: null })).toBeNull();
  expect(outcomeOf({ phase: "committed", error: null })).toBeNull();
  expect(outcomeOf({ phase: "failed", error: lost })).toEqual({ kind: "died", problem: lost });
  expect(outcomeOf({ phase: "failed", error: cancelled })).toEqual({ kind: "gaveUp", problem: cancelled });
});
