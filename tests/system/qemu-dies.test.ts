/** A QEMU process is killed in the middle of a move: the guest goes on where it can, and the task says what happened. */
import { qemusOf } from "@godwit/lab";
import { inPhase, TestLab } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.start({ hosts: ["a", "b"] });
  await lab.boot({ on: "a" });
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

const kill = async (host: string): Promise<void> => {
  const qemu = (await qemusOf(lab.lab)).find((one) => one.host === host);
  if (qemu === undefined) throw new Error(`no QEMU runs on ${host}`);
  process.kill(qemu.pid, "SIGKILL");
};
const begin = async () => {
  const task = await lab.api.call("vmMigrate", {
    params: { vm: "web-1" },
    body: { to: "b", bandwidthMbps: 100 },
  });
  await lab.until(task.id, inPhase("copying"));
  return task;
};

test("the destination's QEMU dies: the guest never notices", async () => {
  await using load = await lab.load();
  const vm = await lab.vm("web-1");
  const task = await begin();
  await kill("b");
  const ended = await lab.ended(task);
  expect(ended.state).toBe("failed");
  expect(["MOVE_COPY_FAILED", "MOVE_DESTINATION_FAILED"]).toContain(ended.error?.code);
  expect(await lab.runnersOf(vm)).toEqual(["a"]);
  expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
  expect(await lab.settled(1)).toEqual([]);
  // Nothing stands in the way of the next move.
  await lab.succeeded(lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "b" } }));
  await lab.succeeded(lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "a" } }));
});

test("the source's QEMU dies: the task says that the VM is lost, and it can be started again", async () => {
  const vm = await lab.vm("web-1");
  const task = await begin();
  await kill("a");
  expect(await lab.ended(task)).toMatchObject({ state: "failed", error: { code: "MOVE_VM_LOST" } });
  expect(await lab.runnersOf(vm)).toEqual([]);
  expect(await lab.settled(0)).toEqual([]);
  expect(await lab.vm("web-1")).toMatchObject({ host: "a", state: "lost" });
  await lab.succeeded(lab.api.call("vmStart", { params: { vm: "web-1" }, body: { host: "b" } }));
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
});
