/** Reports become windows, windows what a VM is expected to want. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  defaultOptions,
  knownLoads,
  LoadWindows,
  planReported,
  resolutions,
  usageOver,
  type HostSample,
  type KnownHost,
} from "../../src/index.ts";
import { hostReport, vmView } from "../hosts.ts";

const vm = vmView(1, 512);
const report = (usedCpus: number | null) => {
  const { load } = hostReport("a", { vms: [vm] });
  return { ...load, vms: load.vms.map((one) => ({ ...one, usedCpus, residentBytes: 2 ** 28 })) };
};
const all = () => true;
const startMs = 1_800_000_000_000;

/** A report every 15 s with these uses. */
function played(uses: readonly number[]): { samples: HostSample[]; endMs: number } {
  const windows = new LoadWindows();
  const samples = uses.flatMap((use, index) => windows.add("a", report(use), startMs + index * 15_000, all));
  return { samples, endMs: startMs + uses.length * 15_000 };
}

test("a window has the mean and the peak of its reports, and is done when the next begins", () => {
  const { samples } = played([1, 3, 2, 2, 0]);
  expect(samples.map(({ resolution, vms }) => [resolution, vms[vm.id]])).toEqual([
    ["fine", { cpus: 2, peakCpus: 3, residentBytes: 2 ** 28 }],
    ["fine", { cpus: 2, peakCpus: 2, residentBytes: 2 ** 28 }],
  ]);
});

test("what waits, swaps, reads and sends is kept with it, and what is nothing is left out", () => {
  const windows = new LoadWindows();
  const load = report(1);
  const told = (readyCpus: number, sent: number) => ({
    ...load,
    vms: load.vms.map((one) => ({
      ...one,
      ...{ readyCpus, swappedBytes: 0, diskReadBytesPerSecond: 100, diskWrittenBytesPerSecond: 50.4 },
      ...{ receivedBytesPerSecond: 1, sentBytesPerSecond: sent },
    })),
  });
  windows.add("a", told(0.2, 9), startMs, all);
  windows.add("a", told(0.4, 19), startMs + 15_000, all);
  const [sample] = windows.add("a", report(1), startMs + 30_000, all);
  const kept = { cpus: 1, peakCpus: 1, residentBytes: 2 ** 28 };
  expect(sample?.vms[vm.id]).toEqual({
    ...kept,
    ...{ readyCpus: 0.3, diskBytesPerSecond: 150, networkBytesPerSecond: 15 },
  });
  expect(usageOver([])).toBe(null);
  expect(
    usageOver([
      { ...kept, readyCpus: 0.3 },
      { ...kept, peakCpus: 4, cpus: 3 },
    ]),
  ).toEqual({
    ...{ seconds: 60, cpus: 2, peakCpus: 4, readyCpus: 0.15 },
    ...{ diskBytesPerSecond: null, networkBytesPerSecond: null },
  });
});

test("a host is not believed of VMs that are not its own, and a clock that was set back begins again", () => {
  const windows = new LoadWindows();
  windows.add("a", report(1), startMs, () => false);
  const [sample] = windows.add("a", report(1), startMs + 30_000, all);
  expect(sample?.vms).toEqual({});
  expect(windows.add("a", report(1), startMs - 3_600_000, all)).toEqual([]);
  expect(windows.add("a", report(1), startMs - 3_570_000, all)).toHaveLength(1);
});

test("a VM counts for what was measured, wherever it was; a day of one use is that use", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 64, noNaN: true }),
      fc.integer({ min: 8, max: 400 }),
      (use, count) => {
        const { samples, endMs } = played(Array<number>(count).fill(use));
        const known = knownLoads(samples, endMs).get(vm.id);
        expect(known?.load.mean).toBeCloseTo(use, 6);
        // The window that is open is not known yet.
        expect(known?.measuredSeconds).toBe(Math.min(Math.floor((count - 1) / 2), 120) * 30);
      },
    ),
    { numRuns: 30 },
  );
});

test("of the last hour the fine windows count, before it the coarse ones", () => {
  const uses = Array.from({ length: 960 }, (_, index) => (index < 480 ? 4 : 1));
  const { samples, endMs } = played(uses);
  const { mean = 0, deviation = 0 } = knownLoads(samples, endMs).get(vm.id)?.load ?? {};
  expect(mean).toBeGreaterThan(1.2);
  expect(mean).toBeLessThan(3);
  // The peak that it had two hours ago may come again.
  expect(mean + 1.645 * deviation).toBeGreaterThan(3);
  expect(resolutions.map(({ seconds, kept }) => seconds * kept)).toEqual([3600, 86_400]);
});

test("without enough load data nothing moves for its load, and the reason is told; what must move does", () => {
  const vms = [1, 2, 3].map((index) => vmView(index, 512));
  const hosts = ["a", "b"].map((name): KnownHost => {
    const { facts, load } = hostReport(name, { vms: name === "a" ? vms : [] });
    const loads = load.vms.map((one) => ({ ...one, usedCpus: 6, residentBytes: 2 ** 28 }));
    return {
      ...{ name, maintenance: "off", unreachableReason: null, baseline: null, facts },
      load: { ...load, vms: loads },
    };
  });
  const measured = (seconds: number) =>
    new Map(vms.map(({ id }) => [id, { load: { mean: 1, deviation: 0.1 }, measuredSeconds: seconds }]));
  const answer = (seconds: number, without: string[] = []) =>
    planReported({
      reports: {
        hosts: hosts.map((host) => ({
          ...host,
          facts: host.facts === null ? null : { ...host.facts, cpu: { ...host.facts.cpu, logicalCpus: 2 } },
        })),
        ...{
          vms: vms.map((one) => ({ ...one, config: { ...one.config, vcpus: 1 } })),
          busy: new Set<string>(),
        },
        ...{ rules: [], loads: measured(seconds) },
      },
      options: { ...defaultOptions, threshold: 5, admission: false },
      ...{ without, explain: "vm-1" },
    });
  const early = answer(60);
  expect(early.plan.moves).toEqual([]);
  expect(early.unmeasured).toEqual(["vm-1", "vm-2", "vm-3"]);
  expect(early.explanation?.sentence).toBe("vm-1 stays: its load is known for 60 s, and 120 s are needed.");
  expect(answer(120).plan.moves).not.toEqual([]);
  expect(answer(60, ["a"]).plan.moves).toHaveLength(3);
});
