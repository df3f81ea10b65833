/**
 * A guest that stands still, or stops, for a reason that is not the move's: it arrives as it left, what stopped it is
 * told, and nothing lets it run that was not asked to.
 */
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { findQemus, qemusOf, rescueSocket } from "@godwit/lab";
import { QmpSession } from "@godwit/qmp";
import { run, until } from "@godwit/system";
import { inPhase, TestLab } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";

let lab: TestLab;
beforeAll(async () => {
  // The oldest of this machine: it aborts when a guest that never had its disks is moved on.
  const oldest = (await findQemus()).at(-1)?.version ?? "";
  lab = await TestLab.start({ hosts: ["a", "b"], qemu: { a: oldest, b: oldest }, ownStorage: true });
  await lab.boot({ on: "a" });
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

const params = { vm: "web-1" };
const move = (to: string, bandwidthMbps?: number) =>
  lab.api.call("vmMigrate", {
    params,
    body: { to, ...(bandwidthMbps === undefined ? {} : { bandwidthMbps }) },
  });
const codeOf = async (asked: Promise<unknown>): Promise<unknown> =>
  await asked.then(
    () => "accepted",
    (error: unknown) => (error as { code: string }).code,
  );
const stateOf = async () => {
  const { host, state, pauseReason } = await lab.vm("web-1");
  return { host, state, pauseReason };
};
/** What QEMU itself says, asked behind its agent's back. */
async function onQemu<T>(host: string, act: (session: QmpSession) => Promise<T>): Promise<T> {
  const qemu = (await qemusOf(lab.lab)).find((one) => one.host === host);
  if (qemu === undefined) throw new Error(`no QEMU is on ${host}`);
  const session = await QmpSession.connect(rescueSocket(lab.lab, qemu.host, qemu.vmId));
  try {
    return await act(session);
  } finally {
    session.close();
  }
}
const becomes = async (expected: object, limitMs = 60_000): Promise<void> => {
  const matches = async () => {
    const found: Record<string, unknown> = await stateOf();
    return Object.entries(expected).every(([key, value]) => found[key] === value);
  };
  await until(matches, { everyMs: 100, limitMs });
  expect(await stateOf()).toMatchObject(expected);
};

test("a VM that is paused stays paused, there and back, and when its move is cancelled; then it goes on", async () => {
  const vm = await lab.vm("web-1");
  await using load = await lab.load();
  await lab.succeeded(lab.api.call("vmPause", { params }));
  expect(await stateOf()).toEqual({ host: "a", state: "paused", pauseReason: "user" });
  expect(await lab.runnersOf(vm)).toEqual([]);
  expect(await codeOf(lab.api.call("vmStart", { params, body: {} }))).toBe("VM_PAUSED");
  const check = await lab.api.call("vmCheck", { params, body: { to: "b" } });
  expect(check.allowed).toBe(true);
  expect(check.findings.map(({ code }) => code)).toContain("VM_MOVES_PAUSED");

  for (const to of ["b", "a"]) {
    await lab.succeeded(move(to));
    expect(await stateOf()).toEqual({ host: to, state: "paused", pauseReason: "user" });
    expect(await onQemu(to, (qemu) => qemu.execute("query-status"))).toMatchObject({ status: "paused" });
  }
  const { id } = await move("b", 50);
  await lab.until(id, inPhase("copying"));
  await lab.api.call("taskCancel", { params: { task: id } });
  expect((await lab.ended(lab.api.call("taskShow", { params: { task: id } }))).state).toBe("cancelled");
  expect(await stateOf()).toEqual({ host: "a", state: "paused", pauseReason: "user" });
  expect(await lab.runnersOf(vm)).toEqual([]);

  await lab.succeeded(lab.api.call("vmResume", { params }));
  expect(await stateOf()).toEqual({ host: "a", state: "running", pauseReason: null });
  expect(await lab.runnersOf(vm)).toEqual(["a"]);
  expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
  expect(await lab.settled(1)).toEqual([]);
});

/** Takes all that is free of a file system, until it is deleted. */
async function fill(folder: string): Promise<string> {
  const filler = join(folder, "filler");
  const { bfree, bsize } = await statfs(folder);
  const words = { what: "filling the datastore", okCodes: [0, 1] };
  await run("fallocate", ["-l", String(Math.max(1, bfree - 64) * bsize), filler], words);
  await run("dd", ["if=/dev/zero", `of=${filler}.rest`, "bs=4k", "status=none"], words);
  return filler;
}

test("a full datastore stops the guest, which is told, may be moved, and goes on when there is room again", async () => {
  const vm = await lab.vm("web-1");
  const { host } = vm;
  const other = host === "a" ? "b" : "a";
  await using load = await lab.load();
  const filler = await fill(lab.lab.sharedFolder);
  await becomes({ state: "paused", pauseReason: "no-space" }, 60_000);
  expect(await lab.runnersOf(vm)).toEqual([]);
  expect(await codeOf(lab.api.call("vmStart", { params, body: {} }))).toBe("VM_PAUSED");
  const alarms = async () => {
    const shown = await lab.api.call("hostShow", { params: { host } });
    return shown.alarms.map(({ code }) => code);
  };
  await until(async () => (await alarms()).includes("DATASTORE_FULL"), { everyMs: 200, limitMs: 60_000 });
  expect(await alarms()).toEqual(expect.arrayContaining(["VM_PAUSED", "DATASTORE_FULL"]));

  await lab.succeeded(move(other));
  expect(await stateOf()).toEqual({ host: other, state: "paused", pauseReason: "no-space" });

  await run("rm", [filler, `${filler}.rest`], { what: "making room" });
  await becomes({ host: other, state: "running" });
  expect(await lab.runnersOf(vm)).toEqual([other]);
  expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
});

/** The guest unmounts its disk and switches itself off; nobody of Godwit was asked. */
const pressPowerButton = async (host: string): Promise<void> => {
  await onQemu(host, (qemu) => qemu.execute("system_powerdown"));
};

test.each([false, true])(
  "a guest that shuts itself down in mid-move is stopped, and so it is told (its agent killed meanwhile: %s)",
  async (isKilled) => {
    const { host: from } = await lab.vm("web-1");
    const { id } = await move(from === "a" ? "b" : "a", 40);
    await lab.until(id, inPhase("copying"));
    await pressPowerButton(from);
    if (isKilled) {
      await lab.lab.host(from).endAgent("SIGKILL");
      const isOff = async () =>
        (await onQemu(from, (qemu) => qemu.execute("query-status"))).status !== "running";
      expect(await until(isOff, { everyMs: 100, limitMs: 60_000 })).toBe(true);
      await lab.lab.host(from).startAgent();
    }
    const ended = await lab.ended(lab.api.call("taskShow", { params: { task: id } }));
    expect(ended).toMatchObject({ state: "failed", error: { code: "MOVE_GUEST_SHUT_DOWN" } });
    await becomes({ host: from, state: "stopped" });
    expect(await lab.settled(0)).toEqual([]);
    // Its lease is given back last: then it starts on the other host.
    if (isKilled) return;
    const body = { host: from === "a" ? "b" : "a" };
    const starts = async () =>
      (await lab.ended(lab.api.call("vmStart", { params, body }))).state === "succeeded";
    expect(await until(starts, { everyMs: 500, limitMs: 60_000 })).toBe(true);
    await (await lab.load()).finish([]);
  },
);
