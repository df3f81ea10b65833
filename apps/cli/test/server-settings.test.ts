/** The database that the service's settings name, for commands that an operator types beside it. */
import { expect, test } from "vitest";
import { databaseUrlIn } from "../src/server-settings.ts";

test("the last line counts, without its quotes; what is commented out or empty names none", () => {
  expect(databaseUrlIn("# GODWIT_DATABASE_URL=postgres://a\n")).toBeUndefined();
  expect(databaseUrlIn("GODWIT_DATABASE_URL=postgres://a\nGODWIT_DATABASE_URL='postgres://b?x=1'\n")).toBe(
    "postgres://b?x=1",
  );
  expect(databaseUrlIn("GODWIT_DATABASE_URL=postgres://a\nGODWIT_DATABASE_URL=\n")).toBeUndefined();
  expect(databaseUrlIn("BACKUP_OPTIONS=--keep 2\n")).toBeUndefined();
});
