/** What is asked for twice is done once: a server asks again when an answer was late or lost. */
import { vmIdSchema } from "@godwit/contract";
import { expect, test } from "vitest";
import { SharedWork } from "../src/vms/shared-work.ts";

const id = vmIdSchema.parse("22222222-2222-4222-8222-222222222222");
const other = vmIdSchema.parse("33333333-3333-4333-8333-333333333333");

test("who asks again while it goes on has the same end, also a bad one, and what comes later is done anew", async () => {
  const work = new SharedWork<string>();
  const ends: PromiseWithResolvers<string>[] = [];
  const begin = async (): Promise<string> => {
    const end = Promise.withResolvers<string>();
    ends.push(end);
    return await end.promise;
  };
  const both = Promise.all([work.do(id, begin), work.do(id, begin)]);
  const elsewhere = work.do(other, begin);
  expect(ends).toHaveLength(2);
  ends[0]?.resolve("runs");
  ends[1]?.resolve("runs too");
  expect(await both).toEqual(["runs", "runs"]);
  expect(await elsewhere).toBe("runs too");

  const failed = Promise.allSettled([work.do(id, begin), work.do(id, begin)]);
  ends[2]?.reject(new Error("no memory"));
  expect((await failed).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  const again = work.do(id, begin);
  ends[3]?.resolve("runs now");
  expect(await again).toBe("runs now");
  expect(ends).toHaveLength(4);
});
