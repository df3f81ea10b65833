/** A lease as it lies on the storage, told in words that people know. */
import { expect, test } from "vitest";
import { holdersOf } from "../src/leases/lease-view.ts";

test("a holder that has not renewed since this host joined is told by the name that lies on the storage", () => {
  const onDisk = { version: 1, exclusive: { id: 611, generation: 1, timestamp: 5 }, shared: [] };
  const clocks = { monotonic: 100, wallMs: 0 };
  expect(holdersOf(onDisk, [], clocks, new Map([[611, "host-c"]]))).toMatchObject([
    { host: "host-c", mode: "EX" },
  ]);
  expect(holdersOf(onDisk, [], clocks)).toMatchObject([{ host: "host-id-611" }]);
});
