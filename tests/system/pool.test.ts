/**
 * Hosts of different CPU generations, simulated: a move that would change the guest's CPU under it is refused, and
 * in a pool with an EVC mode the same VM goes everywhere and sees the same CPU. The guest itself says what it sees.
 */
import { cpuOf, dependentsOf, evcModeNamed, readCpuSource, reportOf, simulatedCpu } from "@godwit/cpu";
import type { CpuReport } from "@godwit/contract";
import { guestCpuid, vmAddress } from "@godwit/lab";
import { TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";

const generation = (mode: string): CpuReport => reportOf(simulatedCpu(evcModeNamed(mode)));

/** A server whose firmware has a feature switched off. */
function without(report: CpuReport, feature: string): CpuReport {
  const gone = new Set([feature, ...dependentsOf(feature)]);
  const features = report.features.filter((name) => !gone.has(name));
  return { ...report, features, evcModes: [] };
}

const codes = (findings: readonly { code: string }[]) => findings.map(({ code }) => code);

test("without a baseline a VM stays with hosts that can give what it sees; in a pool it goes both ways", async () => {
  await using lab = await TestLab.start({
    hosts: ["a", "b", "c", "d"],
    cpus: {
      a: generation("intel-penryn"),
      b: generation("intel-merom"),
      c: generation("amd-rev-f"),
      d: without(generation("intel-penryn"), "nx"),
    },
  });
  const { api } = lab;
  const vm = await lab.boot({ on: "a" });
  const seen = async () => {
    const text = await guestCpuid(lab.lab.id, vmAddress(0));
    return cpuOf(reportOf(readCpuSource(text, "the guest")));
  };
  {
    await using load = await lab.load();
    expect((await lab.vm("web-1")).config.cpu).toMatchObject({ vendor: "GenuineIntel" });
    const refusal = (to: string) => lab.findings("web-1", to);
    expect(await refusal("b")).toMatchObject([
      {
        code: "DESTINATION_CPU_LACKS",
        vsphereFault: "CpuIncompatible1ECX",
        message: expect.stringMatching(/level 0x1, register ecx: .*sse4\.1 \(bit 19\)/) as string,
      },
    ]);
    expect(codes(await refusal("c"))).toContain("DESTINATION_CPU_VENDOR_DIFFERS");
    expect(await refusal("d")).toMatchObject([
      {
        code: "DESTINATION_CPU_LACKS",
        vsphereFault: "CpuIncompatible81EDX",
        message: expect.stringMatching(/register edx: .*nx \(bit 20\)/) as string,
      },
    ]);
    const table = await api.call("moveCheck", { body: {} });
    expect(table).toMatchObject({
      pathsTried: true,
      vms: [
        {
          ...{ vm: "web-1", from: "a" },
          hosts: [
            { to: "b", allowed: false, errors: ["DESTINATION_CPU_LACKS"] },
            { to: "c", allowed: false, findings: expect.arrayContaining(await refusal("c")) as unknown },
            { to: "d", allowed: false, errors: ["DESTINATION_CPU_LACKS"] },
          ],
        },
      ],
    });
    const forced = api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "b" } });
    await expect(forced).rejects.toMatchObject({ code: "MOVE_REFUSED" });
    expect(await lab.runnersOf(vm)).toEqual(["a"]);
    expect(await load.finish([])).toMatchObject({ lost: 0, duplicated: 0 });
  }

  // A pool of the two generations: its hosts and no others, and only VMs that see no more.
  const make = (body: { name: string; evcMode: string; hosts: string[] }) => api.call("poolCreate", { body });
  const refused = async (call: Promise<unknown>) =>
    codes(
      await call.then(
        () => [],
        (error: unknown) => (error as { findings: { code: string }[] }).findings,
      ),
    );
  expect(await refused(make({ name: "east", evcMode: "intel-penryn", hosts: ["a", "b"] }))).toEqual([
    "EVC_HOST_GENERATION_LACKS",
  ]);
  expect(await refused(make({ name: "east", evcMode: "intel-merom", hosts: ["a", "c"] }))).toContain(
    "EVC_HOST_VENDOR_DIFFERS",
  );
  expect(await refused(make({ name: "east", evcMode: "intel-merom", hosts: ["b", "d"] }))).toEqual([
    "EVC_HOST_FEATURES_MISSING",
  ]);
  expect(await refused(make({ name: "east", evcMode: "intel-merom", hosts: ["a", "b"] }))).toEqual([
    "EVC_MODE_VMS_ABOVE",
  ]);
  expect((await api.call("poolList", {})).pools).toEqual([]);
  await lab.succeeded(api.call("vmStop", { params: { vm: "web-1" }, body: { graceSeconds: 0 } }));
  const pool = await make({ name: "east", evcMode: "intel-merom", hosts: ["a", "b"] });
  expect(pool).toMatchObject({ hosts: ["a", "b"], baseline: { mode: "intel-merom@1" }, pendingVms: [] });

  // Powered on there, the guest sees just the baseline, and the same everywhere.
  await lab.succeeded(api.call("vmStart", { params: { vm: "web-1" }, body: {} }));
  await using load = await lab.load();
  const { config } = await lab.vm("web-1");
  expect(config.cpu).toMatchObject({ model: "Conroe-v1", add: ["cx16"], evcMode: "intel-merom@1" });
  const before = await seen();
  expect([...before.features].filter((name) => name !== "osxsave").sort()).toEqual(config.cpu.features);
  expect(before.features).toContain("ssse3");
  expect(before.features).not.toContain("sse4.1");
  for (const to of ["b", "a"]) {
    await lab.succeeded(api.call("vmMigrate", { params: { vm: "web-1" }, body: { to } }));
    expect(await lab.runnersOf(vm)).toEqual([to]);
    const after = await seen();
    expect(after.leaves).toEqual(before.leaves);
  }

  // What would be if host a were to be emptied: said, and not done.
  const body = { threshold: 1, without: ["a"] };
  expect(await api.call("poolPlan", { params: { pool: "east" }, body })).toMatchObject({
    moves: [{ vm: "web-1", from: "a", to: "b", reason: "must" }],
    ...{ stuck: [], absent: [], before: { mustLeave: 1 }, after: { mustLeave: 0 } },
  });
  const asked = { params: { pool: "east", vm: "web-1" }, body: {} };
  expect(await api.call("poolExplain", asked)).toMatchObject({
    to: null,
    candidates: [{ host: "b", against: [] }],
  });
  const wrong = api.call("poolPlan", { params: { pool: "east" }, body: { without: ["c"] } });
  await expect(wrong).rejects.toMatchObject({ code: "HOST_NOT_IN_POOL" });
  expect(await lab.runnersOf(vm)).toEqual(["a"]);

  expect(await load.finish([])).toMatchObject({ connections: 1, reconnects: 0, lost: 0, duplicated: 0 });
  expect(await lab.settled(1)).toEqual([]);

  // A host that loses what its VMs see is told, for as long as it is so.
  await lab.lab.host("a").simulateCpu(without(generation("intel-penryn"), "ssse3"));
  const alarms = async () => codes((await api.call("hostShow", { params: { host: "a" } })).alarms);
  await expect
    .poll(alarms, { timeout: 60_000, interval: 500 })
    .toEqual(["HOST_CPU_SHRANK", "EVC_HOST_FEATURES_MISSING", "HOST_WITHOUT_WATCHDOG"]);
  await lab.lab.host("a").simulateCpu(generation("intel-penryn"));
  await expect.poll(alarms, { timeout: 60_000, interval: 500 }).toEqual(["HOST_WITHOUT_WATCHDOG"]);
});
