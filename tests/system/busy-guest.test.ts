/**
 * A guest that changes its memory faster than the link carries it. Pre-copy alone never ends there; the course that is
 * chosen while the memory is copied does: by post-copy where that is allowed, and with the reason where it is not.
 */
import { moveOf } from "@godwit/contract";
import { findQemus } from "@godwit/lab";
import { allowUserfaultfd, TestLab } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../../test-kit/src/describe-with.ts";

/** Its QEMU can make a post-copy's stream again as often as it takes, and copies in more than one pass. */
const recent = "10.0";
const isPresent = (await findQemus()).some(({ version }) => version.startsWith(`${recent}.`));

describeWith(`a busy guest under QEMU ${recent}`, isPresent ? null : `not installed: QEMU ${recent}`, () => {
  let lab: TestLab;
  let giveBack: () => Promise<void>;
  beforeAll(async () => {
    giveBack = await allowUserfaultfd();
    lab = await TestLab.start({
      ...{ hosts: ["a", "b"], qemu: { a: recent, b: recent } },
      forbidsUserfaultfd: false,
    });
    await lab.boot({ on: "a" });
  });
  afterAll(async () => {
    // First: a lab that was not made cannot be disposed of.
    await giveBack();
    await lab[Symbol.asyncDispose]();
  });
  /** Some 64 MiB several times in the time that the link needs for them. */
  const busy = { mib: 64, mibPerSecond: 100, compressiblePercent: 0 };
  const bandwidthMbps = 100;

  test("what a move would be like is told before it: measured at the guest, and played", async () => {
    await lab.dirty(busy);
    const { forecast } = await lab.api.call("vmCheck", {
      params: { vm: "web-1" },
      body: { to: "b", bandwidthMbps, forecast: true },
    });
    expect(forecast?.objective).toMatchObject({ name: "normal", postcopy: "lastResort" });
    const [short, long] = forecast?.activity.periods ?? [];
    // It goes round 64 MiB in less than a second where it reaches its rate, and changes at most what it is asked to.
    expect(short?.seconds).toBe(0.25);
    expect(long?.changedBytes).toBeGreaterThan(8 * 2 ** 20);
    expect(long?.changedBytes).toBeLessThan(160 * 2 ** 20);
    expect(forecast?.activity.shape?.changedBytes).toHaveLength(8);
    expect(forecast?.linkBytesPerSecond.p90).toBeLessThanOrEqual(bandwidthMbps * 125_000);
    expect(forecast?.auto.ends.postcopy).toBeGreaterThan(0.5);
    expect(forecast?.auto.steps.join()).toMatch(/post-copy as the last resort/);
    expect(forecast?.withoutPostcopy?.ends.postcopy).toBe(0);
    expect(await lab.runnersOf(await lab.vm("web-1"))).toEqual(["a"]);
  });

  test("without post-copy it stays where it is, at its deadline and with the reason, and is not slowed down", async () => {
    const vm = await lab.vm("web-1");
    await using load = await lab.load();
    await lab.dirty(busy);
    const task = await lab.ended(
      lab.api.call("vmMigrate", {
        params: { vm: "web-1" },
        body: { to: "b", bandwidthMbps, objective: "realtime", deadlineMs: 20_000 },
      }),
    );
    expect(task).toMatchObject({
      state: "failed",
      error: { code: "MOVE_NOT_CONVERGING", details: { because: "deadline" } },
    });
    expect(task.error?.detail).toMatch(/its deadline has passed/);
    expect(moveOf(task)?.decisions.map(({ kind }) => kind)).not.toContain("throttle");
    expect(await lab.runnersOf(vm)).toEqual(["a"]);
    expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
  });

  test("it moves all the same, with nothing said but where to, and nothing is lost", async () => {
    const vm = await lab.vm("web-1");
    await using load = await lab.load();
    await lab.dirty(busy);
    const task = await lab.succeeded(
      lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "b", bandwidthMbps } }),
    );
    const move = moveOf(task);
    expect(move).toMatchObject({ strategy: "auto", phase: "succeeded" });
    const last = move?.decisions.find(({ kind }) => kind === "postcopy");
    expect(last?.text).toMatch(/^post-copy as the last resort: \d+ MiB left in round \d+, and /);
    expect(await lab.runnersOf(vm)).toEqual(["b"]);
    expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
    expect(await lab.settled(1)).toEqual([]);
    // It was checked some minutes ago: what was told then stands beside what happened, and is learned from.
    const told = task.kind === "vm.migrate" ? task.request.forecast : undefined;
    expect(told).toMatchObject({ correctedBy: 0, totalMs: { p50: told?.uncorrected.totalMs } });
    const back = await lab.succeeded(
      lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "a", forecast: true } }),
    );
    expect(back).toMatchObject({ request: { forecast: { correctedBy: 0 } } });
    const { forecast } = await lab.api.call("vmCheck", {
      params: { vm: "web-1" },
      body: { to: "b", bandwidthMbps, forecast: true },
    });
    expect(forecast?.correction).toMatchObject({ moves: 1, ownMoves: 1 });
    const ratio = (move?.totalMs ?? 0) / (told?.uncorrected.totalMs ?? 1);
    expect(forecast?.correction?.totalMs.p50).toBeCloseTo(Math.sqrt(Math.min(8, Math.max(1 / 8, ratio))), 5);
  });
});
