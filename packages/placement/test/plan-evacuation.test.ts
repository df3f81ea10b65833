/** Emptying a host by what hosts report: no destination is given more memory than it has left, and reasons are told. */
import { qemuOverheadBytes } from "@godwit/requirements";
import fc from "fast-check";
import { expect, test } from "vitest";
import { planEvacuation } from "../src/index.ts";
import { hostReport, vmView } from "./hosts.ts";

const unlimited = { free: Infinity, perTarget: Infinity };
const bytes = (mib: number): number => mib * 2 ** 20;

const noRules = { rules: [], hostOf: new Map<string, string>() };

test("whatever hosts report: VMs that begin fit beside each other and beside those on their way", () => {
  const mib = fc.integer({ min: 16, max: 2048 });
  fc.assert(
    fc.property(
      fc.array(mib, { maxLength: 8 }),
      fc.array(
        fc.record({
          availableMib: fc.option(fc.nat(8192), { nil: null }),
          coming: fc.array(mib, { maxLength: 2 }),
        }),
        {
          maxLength: 3,
        },
      ),
      (vms, others) => {
        const views = vms.map((memoryMib, index) => vmView(index, memoryMib));
        const next = planEvacuation({
          ...noRules,
          host: "a",
          source: hostReport("a", { vms: views }),
          movers: views.map((vm) => ({ vm, live: true, failedAt: [] })),
          destinations: others.map(({ availableMib }, index) => {
            const name = `h${String(index)}`;
            return { name, takesVms: true, report: hostReport(name, { availableMib }) };
          }),
          arriving: others.flatMap(({ coming }, index) =>
            coming.map((memoryMib) => ({ host: `h${String(index)}`, vm: vmView(99, memoryMib) })),
          ),
          limits: unlimited,
        });
        expect(next.begin.length + next.stuck.length).toBe(vms.length);
        others.forEach(({ availableMib, coming }, index) => {
          const here = next.begin.filter(({ to }) => to === `h${String(index)}`);
          if (here.length === 0) return;
          const promised = coming.reduce((sum, one) => sum + bytes(one), 0);
          const taken = here.reduce((sum, { mover }) => sum + bytes(mover.vm.config.memoryMib), 0);
          expect(promised + taken + qemuOverheadBytes).toBeLessThanOrEqual(bytes(availableMib ?? 0));
        });
        for (const { findings } of next.stuck) expect(findings.length).toBeGreaterThan(0);
      },
    ),
  );
});

test("a host whose CPUs are busy is not chosen for its memory", () => {
  const vms = [vmView(1, 1024), vmView(2, 1024)];
  const busy = hostReport("b", { availableMib: 16_384, vms: [vmView(9, 2048)] });
  busy.load = {
    ...busy.load,
    vms: busy.load.vms.map((vm) => ({ ...vm, usedCpus: 7.5, residentBytes: bytes(2048) })),
  };
  const next = planEvacuation({
    ...noRules,
    ...{ host: "a", source: hostReport("a", { vms }), arriving: [], limits: unlimited },
    movers: vms.map((vm) => ({ vm, live: true, failedAt: [] })),
    destinations: [
      { name: "b", takesVms: true, report: busy },
      { name: "c", takesVms: true, report: hostReport("c", { availableMib: 8192 }) },
    ],
  });
  expect(next.begin.map(({ to }) => to)).toEqual(["c", "c"]);
});

test("a VM that its host does not report is stuck, with that as the reason; so is one whose memory nobody knows to be there", () => {
  const vm = vmView(1, 512);
  const plan = (availableMib: number | null, vms = [vm]) =>
    planEvacuation({
      ...noRules,
      host: "a",
      source: hostReport("a", { vms }),
      movers: [{ vm, live: true, failedAt: [] }],
      destinations: [{ name: "b", takesVms: true, report: hostReport("b", { availableMib }) }],
      arriving: [],
      limits: unlimited,
    }).stuck.map(({ findings }) => findings.map(({ code }) => code));
  expect(plan(4096)).toEqual([]);
  expect(plan(4096, [])).toEqual([["VM_NOT_RUNNING"]]);
  expect(plan(null)).toEqual([["DESTINATION_MEMORY_UNDETERMINED"]]);
});
