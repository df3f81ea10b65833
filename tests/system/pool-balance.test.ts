/** A pool that balances itself: a rule is made that does not hold, and the balancer makes it hold with the fewest moves. */
import { GodwitError } from "@godwit/contract";
import { qemusOf } from "@godwit/lab";
import { until } from "@godwit/system";
import { TestLab, withoutBusyMachine } from "@godwit/test-kit";
import { expect, test } from "vitest";

const names = ["web-1", "web-2", "web-3", "web-4"];

test("a rule that is broken is repaired by one move, nothing is lost, and no operator breaks it without force", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b", "c"] });
  const { api } = lab;
  const params = { pool: "east" };
  await api.call("poolCreate", { body: { name: "east", hosts: ["a", "b", "c"] } });
  for (const name of names) await lab.boot({ name, on: name === "web-4" ? "b" : "a", memoryMib: 192 });
  const runners = async () => {
    const qemus = await qemusOf(lab.lab);
    const where: Record<string, string[]> = {};
    for (const name of names) {
      const { id } = await lab.vm(name);
      where[name] = qemus.filter(({ vmId, running }) => vmId === id && running).map(({ host }) => host);
    }
    return where;
  };
  await using load = await lab.load();

  // Off by default: nothing is planned.
  expect((await api.call("poolRecommendations", { params })).round).toBeNull();
  const terms = { kind: "apart", must: true, of: "host" } as const;
  await api.call("poolRuleAdd", { params, body: { name: "databases", terms, vms: ["web-1", "web-2"] } });
  const contradicting = {
    name: "beside",
    terms: { kind: "together", must: true },
    vms: ["web-1", "web-2"],
  } as const;
  await expect(
    api.call("poolRuleAdd", { params, body: { ...contradicting, vms: [...contradicting.vms] } }),
  ).rejects.toMatchObject({
    code: "POOL_RULE_REFUSED",
    message: expect.stringContaining("databases") as string,
  });
  await api.call("poolBalanceSet", { params, body: { automation: "full", threshold: 1 } });

  const apart = async () => {
    const { round } = await api.call("poolRecommendations", { params });
    return round !== null && round.moves.length > 0 && round.moves.every(({ state }) => state === "done");
  };
  await until(apart, { everyMs: 1000, limitMs: 240_000 }); // a round tells nobody
  const { round } = await api.call("poolRecommendations", { params });
  expect(round?.moves).toMatchObject([{ from: "a", reason: "must", state: "done" }]);
  const moved = round?.moves[0]?.vm ?? "";
  const other = moved === "web-1" ? "web-2" : "web-1";
  expect(["web-1", "web-2"]).toContain(moved);
  const where = await runners();
  for (const hosts of Object.values(where)) expect(hosts).toHaveLength(1);
  expect(where[other]).toEqual(["a"]);
  expect(where[moved]).toEqual([round?.moves[0]?.to]);
  expect([where["web-3"], where["web-4"]]).toEqual([["a"], ["b"]]);

  // Its round says why; the tasks say who.
  const why = await api.call("poolRoundExplain", {
    params: { ...params, round: String(round?.round), vm: moved },
  });
  expect(why.sentence).toContain("where it is it must not stay");
  const { tasks } = await api.call("taskList", {});
  expect(tasks.filter(({ kind }) => kind === "vm.migrate").map(({ actor }) => actor)).toEqual(["balancer"]);

  // An operator's move that would break the rule again.
  const back = { params: { vm: moved }, body: { to: "a" } };
  const refused = await api.call("vmMigrate", back).catch((error: unknown) => error);
  expect(GodwitError.is(refused) && withoutBusyMachine(refused.findings).map(({ code }) => code)).toEqual([
    "POOL_RULE_BROKEN",
  ]);
  expect(await load.finish([])).toMatchObject({ lost: 0, duplicated: 0 });
});
