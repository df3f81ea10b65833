/** A task as people read it. */
import { expect, test } from "vitest";
import { pauseText } from "../src/output/task-view.ts";

test("where the pause of a move went is one line, and what was not measured is no zero", () => {
  const pause = {
    ...{ decisionMs: 1.2, lastPagesMs: 3.1, vetoMs: 0.4, deviceStateMs: 12, commitMs: 0.1 },
    ...{ commitTravelMs: 0.3, contMs: 0.2, resumeMs: 3.4, announceMs: 4.5 },
  };
  expect(pauseText(pause)).toBe(
    "last pages 3.1 ms · last veto 0.4 ms · device state 12.0 ms · commit 0.1 ms · to the destination 0.3 ms · until cont 0.2 ms · until the guest runs 3.4 ms (decided 1.2 ms before, announced 4.5 ms after)",
  );
  expect(pauseText({ ...pause, decisionMs: null, vetoMs: null, announceMs: null })).toMatch(
    /last veto unknown .*until the guest runs 3.4 ms$/,
  );
});
