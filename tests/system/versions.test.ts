/**
 * A host whose agent speaks only version 1 of the protocol, beside one of today's: a VM moves there and back, also over
 * an upgrade in the middle, and the operator is told which to upgrade.
 */
import { TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";

test("a VM moves between hosts of two versions, both ways, and the older one is named until it is upgraded", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b"] });
  const vm = await lab.boot({ on: "a" });
  const older = lab.lab.host("b");
  await older.endAgent();
  await older.startAgent({ GODWIT_PROTOCOL: "1" });
  const alarmsOf = async (host: string) =>
    (await lab.api.call("hostShow", { params: { host } })).alarms.map(({ code, severity }) => ({
      code,
      severity,
    }));
  await expect.poll(() => alarmsOf("b")).toContainEqual({ code: "VERSIONS_DIFFER", severity: "warning" });
  const { alarms } = await lab.api.call("hostShow", { params: { host: "b" } });
  expect(alarms.find(({ code }) => code === "VERSIONS_DIFFER")?.remedy).toMatch(
    /upgrade the agent of host b next/,
  );

  // That version would let a paused guest run: refused before anything is copied.
  const params = { vm: vm.name };
  await lab.succeeded(lab.api.call("vmPause", { params }));
  expect(await lab.findings("web-1", "b")).toMatchObject([
    { code: "DESTINATION_RESUMES_PAUSED", severity: "error" },
  ]);
  await expect(lab.api.call("vmMigrate", { params, body: { to: "b" } })).rejects.toMatchObject({
    code: "MOVE_REFUSED",
  });
  await lab.succeeded(lab.api.call("vmResume", { params }));

  for (const to of ["b", "a"]) {
    await lab.succeeded(lab.api.call("vmMigrate", { params: { vm: vm.name }, body: { to } }));
    expect(await lab.runnersOf(vm)).toEqual([to]);
  }
  expect(await lab.settled(1)).toEqual([]);

  await older.endAgent();
  await older.startAgent();
  await expect
    .poll(() => alarmsOf("b"))
    .not.toContainEqual({
      ...{ code: "VERSIONS_DIFFER", severity: "warning" },
    });
});
