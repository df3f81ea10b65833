/** Which ids can be used, by the map of a user namespace. */
import { expect, test } from "vitest";
import { isMapped } from "../src/index.ts";

const whole = "         0          0 4294967295\n";
const container = "         0     100000      65536\n   1000000     200000       1000\n";

test("ids are mapped only when all of them lie in one range of the map", () => {
  expect(isMapped(whole, 2_010_000_000, 100_000_000)).toBe(true);
  expect(isMapped(container, 2_010_000_000, 1)).toBe(false);
  expect(isMapped(container, 1_000_000, 1000)).toBe(true);
  expect(isMapped(container, 1_000_000, 1001)).toBe(false);
  expect(isMapped(container, 999_999, 2)).toBe(false);
  expect(isMapped("", 0, 1)).toBe(false);
});
