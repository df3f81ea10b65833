/** Baselines of sets of CPUs: stories first, then what holds for every set. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { includesMode, type EvcMode } from "../../src/evc-modes/mode.ts";
import {
  baselineOf,
  evcModes,
  evcVendorOf,
  has,
  satisfiedModes,
  withCpu,
  withoutHost,
  type Cpu,
} from "../../src/index.ts";
import { cpuWith, less, plainCpu } from "./cpus.ts";

const haswell = cpuWith("intel-haswell", {
  label: "h1",
  features: ["xsaveopt", "spec-ctrl", "md-clear", "vmx", "rtm"],
});
const broadwell = cpuWith("intel-broadwell", { label: "b1", features: ["xsaveopt", "spec-ctrl", "ssbd"] });

test("a pool of two generations gets the older one's mode, with the microcode bits of both", () => {
  const { mode, why, microcode, cpuString, features, next } = baselineOf([broadwell, haswell]);
  expect(mode?.key).toBe("intel-haswell");
  expect(why).toBeNull();
  expect(microcode).toEqual(["spec-ctrl"]);
  expect(cpuString).toBe("Haswell-v2,+spec-ctrl,-xsaveopt,enforce");
  expect(features).toContain("xsaveopt");
  expect(features).not.toContain("adx");
  expect(next.map(({ key }) => key)).toEqual(["intel-broadwell"]);
});

test("each host is told what it gives up and what it lacks for the next mode, and why", () => {
  const [first, second] = baselineOf([broadwell, haswell]).hosts;
  expect(first).toMatchObject({
    label: "b1",
    givesUp: ["3dnowprefetch", "adx", "rdseed", "smap", "ssbd", "xsaveopt"],
    lacksForNext: [],
  });
  // vmx and rtm are shown to no VM by itself, so that they are no loss.
  expect(second?.givesUp).toEqual(["md-clear", "xsaveopt"]);
  expect(second?.lacksForNext.map(({ mode }) => mode)).toEqual(["intel-broadwell"]);
  expect(second?.lacksForNext[0]?.missing.map(({ feature }) => feature)).toEqual([
    "3dnowprefetch",
    "adx",
    "rdseed",
    "smap",
  ]);
});

test("a Zen and a Bulldozer host meet at B0, not at B1", () => {
  const { mode, common, next } = baselineOf([cpuWith("amd-zen4"), cpuWith("amd-bulldozer")]);
  expect(mode?.key).toBe("amd-greyhound-no3dnow");
  expect(common.map(({ level }) => level)).toEqual(["A2/B0"]);
  // From there AMD's sequences part: back to 3DNow!, on to Bulldozer, or past it to Zen.
  expect(next.map(({ key }) => key)).toEqual(["amd-greyhound", "amd-bulldozer", "amd-zen"]);
});

test("what has no baseline is reported why", () => {
  const why = (...cpus: Cpu[]) => baselineOf(cpus).why;
  expect(why()).toBe("There is no CPU to find a baseline of.");
  expect(why(haswell, cpuWith("amd-zen", { label: "z1" }))).toBe(
    "The CPUs are of different vendors (AuthenticAMD in z1; GenuineIntel in h1); a running VM never goes from one vendor's to another's.",
  );
  expect(why({ ...plainCpu, vendor: "HygonGenuine" })).toBe(
    "There are no EVC modes for CPUs of the vendor HygonGenuine.",
  );
  expect(why(haswell, less(broadwell, "nx"))).toBe("b1 satisfies no EVC mode.");
});

test("mixed vendors are told which pools they could be", () => {
  const { mode, vendors, cpu } = baselineOf([haswell, cpuWith("amd-zen", { label: "z1" }), broadwell]);
  expect(mode).toBeNull();
  expect(cpu).toBeNull();
  expect(vendors.map(({ vendor, mode: own, hosts }) => [vendor, own?.key, hosts])).toEqual([
    ["AuthenticAMD", "amd-zen", ["z1"]],
    ["GenuineIntel", "intel-haswell", ["b1", "h1"]],
  ]);
});

test("without its oldest host a pool could be raised; a VM that needs a host that goes could not start again", () => {
  const vms = [
    { name: "db", features: ["adx", "avx2"] },
    { name: "web", features: ["avx2", "x2apic", "sse2"] },
  ];
  expect(withoutHost([haswell, broadwell], "h1", vms)).toMatchObject({ change: "raised", vms: [] });
  expect(withoutHost([haswell, broadwell], "b1", vms)).toMatchObject({
    change: "same",
    vms: [{ name: "db", cannotStart: true, cannotMoveTo: ["h1"], beyond: ["adx"] }],
  });
});

test("with an older host a pool is lowered, and VMs that see more could not move there", () => {
  const westmere = cpuWith("intel-westmere", { label: "w1" });
  const vms = [{ name: "db", features: ["avx2", "aes"] }];
  expect(withCpu([haswell, broadwell], westmere, vms)).toMatchObject({
    change: "lowered",
    vms: [{ name: "db", cannotStart: false, cannotMoveTo: ["w1"], beyond: ["avx2"] }],
  });
  expect(withCpu([haswell], cpuWith("amd-zen")).change).toBe("lost");
});

/** Any mode's CPU, less some of its features and with some of others, some of them not known. */
const anyFeature = fc.constantFrom(...new Set(evcModes.flatMap(({ features }) => features)));
const anyCpu = fc
  .record({
    mode: fc.constantFrom(...evcModes),
    lacks: fc.array(anyFeature, { maxLength: 2 }),
    adds: fc.array(anyFeature, { maxLength: 8 }),
    unknown: fc.array(anyFeature, { maxLength: 1 }),
    label: fc.string({ maxLength: 3 }),
  })
  .map(({ mode, lacks, adds, unknown, label }): Cpu => {
    const cpu = less(cpuWith(mode.key, { features: adds, label }), ...lacks, ...unknown);
    return { ...cpu, unknown: new Set(unknown) };
  });
const cpus = fc.array(anyCpu, { minLength: 1, maxLength: 6 });
/** Of one vendor, so that there often is a baseline. */
const alikeCpus = cpus.map((all) => all.filter(({ vendor }) => vendor === all[0]?.vendor));

const satisfied = (cpu: Cpu, { vendor, features }: EvcMode) =>
  evcVendorOf(cpu) === vendor && features.every((feature) => has(cpu, feature) === true);

test("a baseline is satisfied by all, and no mode that shows more is", () => {
  fc.assert(
    fc.property(alikeCpus, (all) => {
      const { mode, common, why } = baselineOf(all);
      const possible = evcModes.filter((candidate) => all.every((cpu) => satisfied(cpu, candidate)));
      expect(common).toEqual(possible);
      expect(mode === null).toBe(possible.length === 0);
      expect(why === null).toBe(mode !== null);
      for (const other of possible) {
        expect(other.features.length).toBeLessThanOrEqual(mode?.features.length ?? 0);
        if (mode !== null && other !== mode) expect(includesMode(other, mode)).toBe(false);
      }
    }),
    { seed: 1, numRuns: 300 },
  );
});

test("the order of hosts never matters, nor do their names", () => {
  fc.assert(
    fc.property(cpus, fc.integer({ min: 1, max: 5 }), (all, by) => {
      const told = (given: readonly Cpu[]) => {
        const { mode, cpuString, microcode, features, next } = baselineOf(given);
        return { mode, cpuString, microcode, features, next };
      };
      const turned = [...all.slice(by % all.length), ...all.slice(0, by % all.length)];
      expect(told(turned)).toEqual(told(all));
      expect(told([...all].reverse())).toEqual(told(all));
      expect(told(all.map((cpu, index) => ({ ...cpu, label: `host-${String(index)}` })))).toEqual(told(all));
      expect(baselineOf(turned).why).toBe(baselineOf(all).why);
    }),
    { seed: 1, numRuns: 200 },
  );
});

test("one more host never raises a baseline, and the same host again never changes it", () => {
  fc.assert(
    fc.property(alikeCpus, anyCpu, (all, more) => {
      const [before, after] = [baselineOf(all), baselineOf([...all, more])];
      if (after.mode !== null) {
        expect(before.common).toContain(after.mode);
        expect(before.mode?.features.length).toBeGreaterThanOrEqual(after.mode.features.length);
      }
      expect(["same", "lowered", "lost", "other"]).toContain(withCpu(all, more).change);
      const [first] = all;
      if (first !== undefined) expect(baselineOf([...all, first]).mode).toBe(before.mode);
    }),
    { seed: 1, numRuns: 200 },
  );
});

test("every mode that a host does not satisfy has a missing feature with a cause, and the others have none", () => {
  fc.assert(
    fc.property(anyCpu, (cpu) => {
      const modes = satisfiedModes(cpu);
      for (const host of baselineOf([cpu]).hosts) {
        for (const { mode, missing } of host.lacksForNext) {
          expect(modes.some(({ key }) => key === mode)).toBe(false);
          for (const { feature, known, why } of missing) {
            expect(has(cpu, feature)).toBe(known ? false : null);
            expect(why.kind === "source").toBe(!known);
            expect(why.cause).toMatch(/\.$/);
          }
        }
      }
    }),
    { seed: 1, numRuns: 200 },
  );
});
