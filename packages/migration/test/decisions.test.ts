/**
 * The reducers' decisions stand in `decisions.txt`: whoever changes one sees there which lines it changes, and so does who reviews it.
 * After a change that is meant: npx vitest run packages/migration/test/decisions.test.ts -u
 */
import { expect, test } from "vitest";
import { decisionTable, tableBounds } from "../explore/decisions.ts";
import { godwit } from "../explore/protocol.ts";

test("every decision of a move is as it is written down", async () => {
  await expect(decisionTable(godwit, tableBounds)).toMatchFileSnapshot("decisions.txt");
});
