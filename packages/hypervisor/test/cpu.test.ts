/** What QEMU says a guest sees, and what QEMU itself does not look at: why the manager must. */
import { endProcess } from "@godwit/system";
import { describe, expect, inject, test } from "vitest";
import type { QemuProcess } from "../src/index.ts";
import { destinationSettings, Fixture, ports, sourceSettings } from "./fixtures.ts";

/** CPUID.1:ECX as the guest sees it. */
async function leaf1Ecx(qemu: QemuProcess): Promise<number> {
  const word = (await qemu.featureWords()).find(({ leaf, register }) => leaf === 1 && register === "ecx");
  if (word === undefined) throw new Error("QEMU did not tell leaf 1");
  return word.value;
}

const sse41 = 1 << 19;

describe.each(inject("qemuBinaries"))("%s", (binary) => {
  test("QEMU compares no CPUs: a guest that moves from a Penryn to a Conroe goes on with less than it has seen", async () => {
    await using fixture = await Fixture.make(binary);
    const specOf = (incoming: boolean, model: string) => {
      const spec = fixture.spec(incoming);
      return { ...spec, vm: { ...spec.vm, cpu: { model, add: [], remove: [] } } };
    };
    const source = await (await fixture.hypervisor("a")).start(specOf(false, "Penryn-v1"));
    const target = await (await fixture.hypervisor("b")).start(specOf(true, "Conroe-v1"));
    try {
      expect((await leaf1Ecx(source)) & sse41).toBe(sse41);
      await source.resume();
      await target.migration.configure(destinationSettings);
      await target.migration.secureDestination({
        credentials: await fixture.credentials("b"),
        sourceName: "a",
      });
      const port = await target.migration.listen("127.0.0.1", ports);
      await source.migration.configureSource({
        credentials: await fixture.credentials("a"),
        destinationName: "b",
        settings: sourceSettings(0),
      });
      const came = (status: string) =>
        source.qmp.nextEvent((e) => e.name === "MIGRATION" && e.data.status === status, 30_000);
      const [ready, completed] = [came("pre-switchover"), came("completed")];
      await source.migration.start("127.0.0.1", port);
      await ready;
      await source.migration.continueSwitchover();
      await completed;
      await target.resume();
      expect(await target.status()).toMatchObject({ running: true });
      expect((await leaf1Ecx(target)) & sse41).toBe(0);
    } finally {
      await source.end();
      await target.end();
    }
  });

  test("what is kept with a process of its VM is there for the agent that comes next", async () => {
    await using fixture = await Fixture.make(binary);
    const qemu = await (await fixture.hypervisor("a")).start(fixture.spec(false));
    try {
      const { vm } = qemu.spec;
      await qemu.updateVm({ ...vm, cpu: { ...vm.cpu, features: ["sse2"] } });
      qemu.release();
      const { processes } = await (await fixture.hypervisor("a")).adopt();
      expect(processes.map(({ spec }) => spec.vm.cpu.features)).toEqual([["sse2"]]);
      await processes[0]?.end();
    } finally {
      await endProcess(qemu.identity, "SIGKILL", 0);
    }
  });
});
