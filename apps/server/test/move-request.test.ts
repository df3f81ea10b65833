/** Which bounds a move has: post-copy only where it may be used, and never where the disks move too. */
import { expect, test } from "vitest";
import { objectiveOf } from "../src/moves/move-request.ts";

test("post-copy is the last resort only of a move without disks, between hosts that both can go on with it", () => {
  expect(objectiveOf({}, true)).toMatchObject({ name: "normal", postcopy: "lastResort" });
  expect(objectiveOf({}, false)).toMatchObject({ name: "normal", postcopy: "never" });
  expect(objectiveOf({ datastore: "local-b" }, true).postcopy).toBe("never");
  expect(objectiveOf({ postcopy: "never" }, true).postcopy).toBe("never");
  expect(objectiveOf({ objective: "realtime", postcopy: "lastResort" }, true).postcopy).toBe("lastResort");
});
