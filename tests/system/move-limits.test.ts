/**
 * Limits of a move that are changed while it goes on: the bytes on the wire follow, hosts' ceilings are kept, and a move that has
 * ended says so.
 */
import { moveOf, type Task } from "@godwit/contract";
import { run, sleep } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.start({ hosts: ["a", "b"] });
  await lab.boot({ on: "a" });
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

/** What the source has sent over the migration network, as its kernel counts it. */
async function sentBytes(): Promise<number> {
  const { stdout } = await run(
    "ip",
    ["-n", lab.lab.namespace("a"), "-json", "-s", "link", "show", "dev", "migration"],
    { what: "counting what was sent" },
  );
  const [link] = JSON.parse(stdout) as { stats64: { tx: { bytes: number } } }[];
  return link?.stats64.tx.bytes ?? Number.NaN;
}
async function bytesPerSecond(): Promise<number> {
  const [before, from] = [await sentBytes(), performance.now()];
  await sleep(3000);
  return ((await sentBytes()) - before) / ((performance.now() - from) / 1000);
}
const flows = (task: Task): boolean => (moveOf(task)?.progress?.transferredBytes ?? 0) > 2 ** 20;
const limitsOf = (task: Task) => moveOf(task)?.decisions.filter(({ kind }) => kind === "limits") ?? [];
const mbps = (megabits: number) => (megabits * 1e6) / 8;

test("the wire follows: a move is given more, a host less, and each change is in the move's record", async () => {
  const { api } = lab;
  const started = await api.call("vmMigrate", {
    params: { vm: "web-1" },
    body: { to: "b", bandwidthMbps: 32 },
  });
  const params = { task: started.id };
  await lab.until(started.id, flows);
  const slow = await bytesPerSecond();
  expect(slow).toBeGreaterThan(0);
  expect(slow).toBeLessThan(1.5 * mbps(32));

  await api.call("hostSet", { params: { host: "b" }, body: { moveBandwidthMbps: 12 } });
  await lab.until(started.id, (task) => limitsOf(task).length === 1);
  // A busy QEMU takes its parameters when it can, and sends up to a megabyte per second more than it may.
  await expect.poll(bytesPerSecond, { timeout: 60_000 }).toBeLessThan(mbps(24));
  await api.call("hostSet", { params: { host: "b" }, body: { moveBandwidthMbps: null } });
  await lab.until(started.id, (task) => limitsOf(task).length === 2);

  await api.call("taskSet", { params, body: { bandwidthMbps: 80, maxOutageMs: 5000 } });
  let fast = 0;
  await expect
    .poll(async () => (fast = await bytesPerSecond()), { timeout: 60_000 })
    .toBeGreaterThan(1.5 * mbps(32));
  expect(fast).toBeLessThan(1.5 * mbps(80));
  const shown = await api.call("taskShow", { params });
  expect(shown).toMatchObject({ limits: { bandwidthBytesPerSecond: mbps(80), maxOutageMs: 5000 } });

  await api.call("taskSet", { params, body: { bandwidthMbps: null } });
  const ended = await lab.succeeded(lab.until(started.id, () => true));
  expect(limitsOf(ended).map(({ text }) => text)).toEqual([
    "from now on the copy uses at most 12.0 Mbit/s, its share of what its hosts' moves may use",
    "from now on the copy uses at most 32.0 Mbit/s, its share of what its hosts' moves may use",
    "from now on the copy uses at most 80.0 Mbit/s and the pause may take 5000 ms, as was asked for",
    "from now on the copy uses what the link gives, as was asked for",
  ]);
  expect(moveOf(ended)?.maxOutageMs).toBe(5000);
  expect(await lab.runnersOf(await lab.vm("web-1"))).toEqual(["b"]);

  await expect(api.call("taskSet", { params, body: { maxOutageMs: 50 } })).rejects.toMatchObject({
    code: "TASK_NOT_CHANGEABLE",
    problem: { detail: expect.stringMatching(/cannot be changed: it has ended\./) as string },
  });
  const paused = await api.call("vmPause", { params: { vm: "web-1" } });
  await expect(
    api.call("taskSet", { params: { task: paused.id }, body: { maxOutageMs: 50 } }),
  ).rejects.toMatchObject({
    problem: { detail: expect.stringMatching(/only a move of a running VM/) as string },
  });
});
