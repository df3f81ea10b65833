/** What to do with a host that was fenced follows from whether the server knows which boot was fenced. */
import { expect, test } from "vitest";
import { GodwitError } from "../src/index.ts";

const revoked = { datastore: "vms", host: "b", since: "2026-01-01T00:00:00.000Z", reason: null };
const remedyOf = (isBootKnown?: boolean) =>
  GodwitError.of("DATASTORE_ACCESS_REVOKED", {
    ...revoked,
    ...(isBootKnown === undefined ? {} : { isBootKnown }),
  }).problem.remedy;

test("a host of which the boot is known gets its access back by a restart; also where it is not told whether it is", () => {
  for (const remedy of [remedyOf(true), remedyOf()]) expect(remedy).toMatch(/back when it reports/);
});

test("of any other an operator gives it back after the restart", () => {
  const byHand = /^Restart host b.* then: godwit datastore restore vms --host b --host-was-restarted$/;
  expect(remedyOf(false)).toMatch(byHand);
  const reason = "the host was fenced there; which boot was fenced is not known";
  const unavailable = GodwitError.of("DATASTORE_UNAVAILABLE", { datastore: "vms", host: "b", reason });
  expect(unavailable.problem.remedy).toMatch(byHand);
});
