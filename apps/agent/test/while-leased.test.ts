/** Work on a VM at rest goes on for as long as nobody has said that its lease is lost. */
import { GodwitError, vmSchema } from "@godwit/contract";
import { expect, test } from "vitest";
import { whileLeased } from "../src/vms/while-leased.ts";

const vm = vmSchema.parse({
  ...{ version: 1, id: "22222222-2222-4222-8222-222222222222", name: "web-1", datastore: "shared" },
  ...{ memoryMib: 64, vcpus: 1, cpu: { model: "qemu64-v1" }, machine: "pc-q35-7.2", disks: [], nics: [] },
});
/** @param answers to looks, one after the other; the last one stays */
function leased(...answers: (boolean | Error)[]) {
  let looks = 0;
  const isHeldOnDisk = () => {
    const answer = answers[Math.min(looks++, answers.length - 1)];
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer === true);
  };
  return {
    parts: { leases: { isOnDisk: () => true, isHeldOnDisk }, host: "a", everyMs: 1 },
    looks: () => looks,
  };
}
const untilLost = (lost: AbortSignal) =>
  new Promise<never>((_resolve, reject) => {
    lost.addEventListener("abort", () => {
      reject(lost.reason as Error);
    });
  });

test("a lease that is lost ends it; a look that fails does not", async () => {
  const { parts, looks } = leased(true, new Error("sanlock does not answer"), false);
  await expect(whileLeased(parts, vm, untilLost)).rejects.toMatchObject({ code: "LEASE_NOT_HELD" });
  expect(looks()).toBe(3);
});

test("what is done before that is done, and nothing looks afterwards", async () => {
  const { parts, looks } = leased(new Error("sanlock does not answer"));
  const work = async () => {
    await expect.poll(looks).toBeGreaterThan(3);
    return "done";
  };
  expect(await whileLeased(parts, vm, work)).toBe("done");
  const seen = looks();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(looks()).toBe(seen);
});

test("a lease that is a row of the database is not looked at", async () => {
  const isHeldOnDisk = () => Promise.reject(GodwitError.of("LEASE_NOT_HELD", { vm: "web-1", host: "a" }));
  const parts = { leases: { isOnDisk: () => false, isHeldOnDisk }, host: "a", everyMs: 1 };
  expect(await whileLeased(parts, vm, (lost) => Promise.resolve(lost.aborted))).toBe(false);
});
