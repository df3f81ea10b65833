/** VMs as the decisions about pools see them: those that run on its hosts, those on their way, those with an older baseline. */
import { vmViewSchema, type TaskKind, type VmState, type VmView } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { pendingVms, runningVms } from "../src/index.ts";

interface Options {
  host: string;
  state: VmState;
  evcMode?: string;
  features?: string[];
  cpuWish?: Record<string, unknown>;
}
function vmView(index: number, { host, state, evcMode, features, cpuWish }: Options): VmView {
  const id = `22222222-2222-4222-8222-${String(index).padStart(12, "0")}`;
  const name = `vm-${String(index)}`;
  const cpu = { model: "Nehalem-v1", evcMode, features };
  const config = { version: 1, id, name, datastore: "s", memoryMib: 64, vcpus: 1, cpu, cpuWish };
  const rest = { machine: "pc-q35-7.2", disks: [], nics: [] };
  return vmViewSchema.parse({
    id,
    name,
    state,
    host,
    seenAt: "2026-11-25T00:00:00Z",
    config: { ...config, ...rest },
  });
}
const anyPlace = fc.record({
  host: fc.constantFrom("a", "b", "c"),
  state: fc.constantFrom<VmState>("running", "stopped", "lost"),
  arrives: fc.option(fc.constantFrom("a", "b", "c"), { nil: null }),
  kind: fc.constantFrom<TaskKind>("vm.migrate", "vm.start", "vm.create", "vm.relocate"),
});

test("a VM counts where it runs and where a move brings it; one that is being started counts with features that nobody knows", () => {
  fc.assert(
    fc.property(fc.array(anyPlace, { maxLength: 6 }), (places) => {
      const vms = places.map(({ host, state }, index) => vmView(index, { host, state, features: ["aes"] }));
      const arriving = places.flatMap(({ arrives, kind }, index) => {
        const vm = vms[index];
        if (arrives === null || vm === undefined) return [];
        return [
          { host: arrives, task: { kind, subject: { kind: "vm" as const, id: vm.id, name: vm.name } } },
        ];
      });
      const found = new Map(runningVms(["a", "b"], vms, arriving).map(({ vm, features }) => [vm, features]));
      places.forEach(({ host, state, arrives, kind }, index) => {
        const comes = arrives === "a" || arrives === "b";
        const runs = state === "running" && (host === "a" || host === "b");
        const wanted = comes
          ? { "vm.migrate": ["aes"], "vm.start": null }[kind as string]
          : runs
            ? ["aes"]
            : undefined;
        expect(found.get(`vm-${String(index)}`)).toEqual(wanted);
      });
    }),
  );
});

test("VMs with another baseline than their pool's are pending, unless they run elsewhere or have a CPU of their own", () => {
  const pool = { hosts: ["a"], baseline: { mode: "intel-merom@1", microcode: ["spec-ctrl"] } };
  const good = { host: "a", state: "running" as const, evcMode: "intel-merom@1", features: ["spec-ctrl"] };
  const vms = [
    vmView(0, good),
    vmView(1, { ...good, evcMode: "intel-penryn@1" }),
    vmView(2, { ...good, features: [] }),
    vmView(3, { ...good, features: [], host: "b" }),
    vmView(4, { ...good, features: [], state: "stopped" }),
    vmView(5, { ...good, features: [], cpuWish: { evcMode: "intel-merom@1" } }),
    vmView(6, { ...good, features: [], cpuWish: { model: "Nehalem-v1" } }),
  ];
  expect(pendingVms(pool, vms)).toEqual(["vm-1", "vm-2"]);
  expect(pendingVms({ hosts: ["a"], baseline: null }, vms)).toEqual(["vm-0", "vm-1", "vm-2"]);
});
