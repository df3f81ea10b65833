/** A VM starts only where the pool then still bears the loss of any one host. */
import type { VmView } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { admitStart, type KnownHost, type PoolRule } from "../../src/index.ts";
import { hostReport, vmView } from "../hosts.ts";
import { ruleOf } from "../rules/rules.ts";

type Shape = Parameters<typeof hostReport>[1] & Partial<Pick<KnownHost, "maintenance" | "unreachableReason">>;
const host = (
  name: string,
  { maintenance = "off", unreachableReason = null, ...o }: Shape = {},
): KnownHost => ({
  ...{ name, maintenance, unreachableReason, baseline: null },
  ...hostReport(name, o),
});
const on = (name: string, vm: VmView): VmView => ({ ...vm, host: name });
/** What QEMU takes beside the guest's memory. */
const overheadMib = 160;
const admit = (
  hosts: readonly KnownHost[],
  vms: readonly VmView[],
  vm: VmView,
  o: { host?: string; mayChoose?: boolean; rules?: PoolRule[] } = {},
) =>
  admitStart({
    reports: { hosts, vms, rules: o.rules ?? [], loads: new Map() },
    ...{ vm, host: o.host ?? vm.host, mayChoose: o.mayChoose ?? false },
  });

test("it is admitted while the VMs of every host fit onto the others, and refused with the host and the VMs that would not", () => {
  const hosts = ["a", "b"].map((name) => host(name, { availableMib: 2048 }));
  const running = [on("a", vmView(1, 600)), on("b", vmView(2, 600))];
  expect(admit(hosts, running, vmView(3, 300, "stopped"))).toEqual({ host: "a" });
  expect(admit(hosts, running, vmView(3, 600, "stopped"))).toEqual({ short: { host: "a", vms: ["vm-3"] } });
  const whole = [...running, on("b", vmView(4, 200))];
  expect(admit(hosts, whole, on("b", vmView(3, 600, "stopped")))).toEqual({
    short: { host: "a", vms: ["vm-1"] },
  });
});

test("more memory for a VM that runs is admitted while another host could take the whole of it", () => {
  const hosts = ["a", "b"].map((name) => host(name, { availableMib: 2048 }));
  const running = [on("a", vmView(1, 600)), on("b", vmView(2, 600))];
  const grown = (mib: number) => admit(hosts, running, on("a", vmView(1, mib)));
  expect(grown(1000)).toEqual({ host: "a" });
  expect(grown(1400)).toEqual({ short: { host: "a", vms: ["vm-1"] } });
});

test("a large VM that fits on one host only is seen, however much is free in all", () => {
  const hosts = [host("a", { availableMib: 8192 }), ...["b", "c", "d"].map((name) => host(name))];
  expect(admit(hosts, [], vmView(1, 6000, "stopped"))).toEqual({ short: { host: "a", vms: ["vm-1"] } });
});

test("nothing is admitted to a pool of one host, or of one that takes VMs", () => {
  const vm = vmView(1, 64, "stopped");
  expect(admit([host("a")], [], vm)).toEqual({ short: { host: "a", vms: ["vm-1"] } });
  const absent = [host("a"), host("b", { maintenance: "on" }), host("c", { unreachableReason: "it is off" })];
  expect(admit(absent, [], vm)).toEqual({ short: { host: "a", vms: ["vm-1"] } });
});

test("where its own host would not do another one is chosen, unless it was named", () => {
  const room = { a: 2000, c: 1000, d: 2000 };
  const hosts = Object.entries(room).map(([name, availableMib]) => host(name, { availableMib }));
  // Beside it on a there is no room for what d would leave.
  const running = [on("d", vmView(1, 1500))];
  const vm = vmView(2, 700, "stopped");
  expect(admit(hosts, running, vm)).toEqual({ short: { host: "d", vms: ["vm-1"] } });
  expect(admit(hosts, running, vm, { mayChoose: true })).toEqual({ host: "c" });
});

test("VMs that died and wait for their restart count, and so does their host", () => {
  const hosts = [
    host("a", { unreachableReason: "it is silent" }),
    ...["b", "c"].map((name) => host(name, { availableMib: 1000 })),
  ];
  const dead = on("a", vmView(1, 700));
  expect(admit(hosts, [dead], on("b", vmView(2, 100, "stopped")))).toEqual({ host: "b" });
  expect(admit(hosts, [dead, on("c", vmView(3, 700))], on("b", vmView(2, 700, "stopped")))).toEqual({
    short: { host: "a", vms: ["vm-1"] },
  });
});

test("a VM that no other host could run, and one that is never restarted, need no room", () => {
  const hosts = [host("a"), host("b", { datastores: ["other"] })];
  expect(admit(hosts, [on("a", vmView(1, 700))], vmView(2, 100, "stopped"))).toEqual({ host: "a" });
  const alike = [host("a", { availableMib: 3000 }), host("b", { availableMib: 1000 })];
  const large = on("a", vmView(1, 2000));
  const vm = vmView(2, 100, "stopped");
  expect(admit(alike, [large], vm)).toHaveProperty("short");
  const rules = [ruleOf("by-hand", { kind: "restart", priority: "never" }, [large])];
  expect(admit(alike, [large], vm, { rules })).toEqual({ host: "a" });
});

test("a rule that must hold counts: two that are never on one host need two others", () => {
  const vms = [on("a", vmView(1, 64)), on("b", vmView(2, 64))];
  const rules = [ruleOf("apart", { kind: "apart", must: true, of: "host" }, vms)];
  const vm = vmView(3, 64, "stopped");
  expect(admit([host("a"), host("b")], vms, vm, { rules })).toEqual({ short: { host: "a", vms: ["vm-1"] } });
  expect(admit([host("a"), host("b"), host("c")], vms, vm, { rules })).toEqual({ host: "a" });
});

test("a VM comes from outside the pool", () => {
  const hosts = [host("b", { availableMib: 1000 }), host("c", { availableMib: 1000 })];
  expect(admit(hosts, [], vmView(1, 700), { host: "b" })).toEqual({ host: "b" });
  expect(admit(hosts, [on("c", vmView(2, 700))], vmView(1, 700), { host: "b" })).toHaveProperty("short");
});

test("what is admitted has a packing for the loss of each host", () => {
  const sizes = fc.array(fc.record({ mib: fc.integer({ min: 64, max: 1500 }), at: fc.nat(3) }), {
    maxLength: 6,
  });
  const rooms = fc.array(fc.integer({ min: 500, max: 4000 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(
      sizes,
      rooms,
      fc.integer({ min: 64, max: 1500 }),
      fc.boolean(),
      (given, room, mib, mayChoose) => {
        const names = room.map((_, index) => "abcd"[index] ?? "");
        const hosts = names.map((name, index) => host(name, { availableMib: room[index] ?? 0 }));
        const vms = given.map(({ mib: size, at }, index) =>
          on(names[at % names.length] ?? "a", vmView(index + 2, size)),
        );
        const answer = admit(hosts, vms, vmView(1, mib, "stopped"), { mayChoose });
        if (!("host" in answer)) return;
        const all = [...vms, on(answer.host, vmView(1, mib))];
        for (const failed of names) {
          const left = names.map((name, index) => {
            const used = all
              .filter((vm) => vm.host === name)
              .reduce((sum, { config }) => sum + config.memoryMib + overheadMib, 0);
            return name === failed ? 0 : (room[index] ?? 0) - used;
          });
          const lost = all
            .filter((vm) => vm.host === failed)
            .map(({ config }) => config.memoryMib + overheadMib);
          expect(packs(lost, left), `${failed} of ${JSON.stringify({ given, room, mib, answer })}`).toBe(
            true,
          );
        }
      },
    ),
    { numRuns: 150 },
  );
});

/** Whether all fit, tried out. */
function packs([first, ...rest]: readonly number[], room: readonly number[]): boolean {
  if (first === undefined) return true;
  return room.some(
    (free, at) =>
      free >= first &&
      packs(
        rest,
        room.map((one, index) => (index === at ? one - first : one)),
      ),
  );
}
