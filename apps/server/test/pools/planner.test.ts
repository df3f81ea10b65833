/** The planner's threads: plans side by side, limits, failures, the end. */
import { defaultOptions, type PlanQuestion } from "@godwit/placement";
import { expect, test } from "vitest";
import { Planner, type PlannerOptions } from "../../src/pools/planner.ts";

const question = (explain: string | null): PlanQuestion => ({
  reports: { hosts: [], vms: [], busy: new Set(), rules: [], loads: new Map() },
  ...{ options: defaultOptions, without: [], explain },
});
const worker = new URL("../fixtures/planner-thread.ts", import.meta.url);

async function withPlanner(
  options: Partial<PlannerOptions>,
  story: (ask: (pool: string, explain?: string) => Promise<unknown>, planner: Planner) => Promise<void>,
): Promise<void> {
  const planner = new Planner({ worker, ...options });
  try {
    await story(async (pool, explain) => (await planner.plan(pool, question(explain ?? null))).plan, planner);
  } finally {
    await planner.stop();
  }
}

test("the real thread plans an empty pool, and the server's loop goes on meanwhile", async () => {
  const planner = new Planner();
  let turns = 0;
  const counting = setInterval(() => (turns += 1), 1);
  try {
    const { plan, explanation } = await planner.plan("east", question(null));
    expect(plan).toMatchObject({ moves: [], stuck: [] });
    expect(explanation).toBeNull();
    expect(turns).toBeGreaterThan(0);
  } finally {
    clearInterval(counting);
    await planner.stop();
  }
});

test("a plan that takes too long is ended, and the next one of the pool is made by a new thread", async () => {
  await withPlanner({ limitMs: 8000, threads: 1 }, async (ask) => {
    const first = await ask("east");
    expect(await ask("east")).toBe(first);
    await expect(ask("east", "endless")).rejects.toMatchObject({ code: "POOL_PLAN_LATE" });
    expect(await ask("east")).not.toBe(first);
  });
});

test("a thread that fails is an error of its plan alone", async () => {
  await withPlanner({}, async (ask) => {
    await expect(ask("east", "throws")).rejects.toMatchObject({
      code: "POOL_PLAN_FAILED",
      message: expect.stringContaining("a plan that is none") as string,
    });
    await expect(ask("east")).resolves.toBeTypeOf("number");
  });
});

test("of a pool one plan is made at a time: a bound of them waits; another pool's is not kept up", async () => {
  await withPlanner({ limitMs: 120_000 }, async (ask, planner) => {
    const slow = ask("east", "endless");
    const waiting = Array.from({ length: 16 }, () => ask("east"));
    await expect(ask("east")).rejects.toMatchObject({ code: "POOL_PLANS_TOO_MANY" });
    await expect(ask("west")).resolves.toBeTypeOf("number");
    const ends = Promise.allSettled([slow, ...waiting]);
    await planner.stop();
    for (const end of await ends)
      expect(end).toMatchObject({ status: "rejected", reason: { code: "POOL_PLAN_FAILED" } });
  });
});
