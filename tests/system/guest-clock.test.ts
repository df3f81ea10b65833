/** A guest's clock is behind by each pause; after a move it is this host's again, where the guest can be asked for that. */
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { guestClockOffsetMs, qemusOf, rescueSocket, vmAddress } from "@godwit/lab";
import { QmpSession } from "@godwit/qmp";
import { inPhase, TestLab } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sleep } from "@godwit/system";

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.start({ hosts: ["a", "b"] });
  await lab.boot({ on: "a" });
  await (await lab.load()).finish([]); // it is up
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

/** The guest stands still for so long, behind its agent's back. */
async function pauseFor(ms: number): Promise<void> {
  const [qemu] = await qemusOf(lab.lab);
  if (qemu === undefined) throw new Error("no QEMU runs");
  const session = await QmpSession.connect(rescueSocket(lab.lab, qemu.host, qemu.vmId));
  await session.execute("stop");
  await sleep(ms);
  await session.execute("cont");
  session.close();
}
const offset = async (): Promise<number> => await guestClockOffsetMs(lab.lab.id, vmAddress(0));
const move = async (to: string): Promise<void> => {
  await lab.succeeded(lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to } }));
};
/** The guest is asked for it when the move is over. What a busy machine needs from one clock to the other stays, and is far less than the pause. */
async function offsetWithin(limitMs: number): Promise<number> {
  const until = performance.now() + 60_000;
  for (;;) {
    const found = await offset();
    if (Math.abs(found) <= limitMs || performance.now() > until) return found;
  }
}

test("a clock that was two seconds behind is right after a move", async () => {
  await pauseFor(2000);
  expect(await offset()).toBeLessThan(-1500);
  await move("b");
  expect(Math.abs(await offsetWithin(500))).toBeLessThanOrEqual(500);
});

test("a guest whose agent says nothing moves all the same, and stays behind", async () => {
  await pauseFor(2000);
  const { id } = await lab.vm("web-1");
  const task = await lab.api.call("vmMigrate", {
    params: { vm: "web-1" },
    body: { to: "a", bandwidthMbps: 100 },
  });
  await lab.until(task.id, inPhase("copying"));
  // Who has the port's only line keeps everybody else from an answer.
  const line = connect(join(lab.lab.host("a").folder, "run/godwit/vms", id, "guest-agent.sock"));
  await once(line, "connect");
  await lab.succeeded(Promise.resolve(task));
  expect(await offset()).toBeLessThan(-1500);
  line.destroy();
});
