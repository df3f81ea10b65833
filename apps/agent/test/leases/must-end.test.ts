/** When a host that may have lost its lease ends its VMs: by what was seen, never because it could not look. */
import { expect, test } from "vitest";
import { mustEnd, type Witness } from "../../src/leases/must-end.ts";

const failSeconds = 80;
const renewed = (secondsAgo: number): Witness => ({ kind: "renewed", secondsAgo });
const silent: Witness = { kind: "silent" };
const notAsked: Witness = { kind: "notAsked", reason: "EMFILE" };

test.each<[string, Witness, Witness, number, number, boolean]>([
  ["sanlock renews", renewed(1), silent, 1000, 0, false],
  ["sanlock hangs, and the storage shows a renewal", silent, renewed(20), 1000, 0, false],
  ["sanlock answers that it did not renew in time", renewed(80), silent, 80, 0, true],
  ["sanlock hangs, and the storage shows none in time", silent, renewed(81), 81, 0, true],
  ["neither answers, and the time is not over", silent, silent, 79, 9, false],
  ["neither answers, and the time is over", silent, silent, 80, 2, true],
  ["neither answers for the first time: this machine may have stood still", silent, silent, 500, 1, false],
  ["sanlock could not be asked", notAsked, silent, 10_000, 0, false],
  ["the storage could not be asked", silent, notAsked, 10_000, 0, false],
  ["neither could be asked, for however long", notAsked, notAsked, 1_000_000, 0, false],
  ["one could not be asked, and the other shows a renewal", notAsked, renewed(3), 500, 0, false],
  ["one could not be asked, and the other shows none in time", notAsked, renewed(90), 500, 0, true],
])("%s", (_, daemon, storage, secondsUnseen, silentLooks, ends) => {
  expect(mustEnd({ daemon, storage, secondsUnseen, silentLooks, failSeconds })).toBe(ends);
});
