/** What the CPUs of a VM and of two hosts have to do with a move. Hosts are told apart by what their QEMU offers. */
import { vmSchema, type CpuReport, type Vm } from "@godwit/contract";
import { features as table } from "@godwit/cpu";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkMove, checkRelocation, mayMove } from "../src/check-move.ts";
import type { HostReport, MoveFacts } from "../src/facts.ts";
import { cpuReport as report } from "./cpu-report.ts";
import { hostReport } from "./host-report.ts";

const penryn = ["pni", "ssse3", "cx16", "sse4.1", "nx", "lm", "lahf-lm", "sse2", "pae"];
const nehalem = [...penryn, "sse4.2", "popcnt"];

interface HostCpu {
  offers: readonly string[];
  hardware?: CpuReport | null;
  vendor?: string;
  version?: string;
  accelerator?: "kvm" | "tcg";
  models?: { name: string; unavailableFeatures: string[] }[];
}

const host = (name: string, cpu: HostCpu): HostReport =>
  hostReport(name, ({ facts }) => {
    Object.assign(facts.cpu, { vendor: cpu.vendor ?? "GenuineIntel", report: cpu.hardware ?? null });
    Object.assign(facts.qemu, {
      version: cpu.version ?? "7.2.22",
      accelerator: cpu.accelerator ?? "kvm",
      machines: ["pc-q35-7.2"],
      cpuModels:
        cpu.models ??
        ["Penryn-v1", "Nehalem-v1", "host"].map((model) => ({ name: model, unavailableFeatures: [] })),
      availableFeatures: [...cpu.offers],
    });
  });

const vmWith = (cpu: Vm["cpu"]): Vm =>
  vmSchema.parse({
    version: 1,
    id: "22222222-2222-4222-8222-222222222222",
    name: "web-1",
    datastore: "shared",
    memoryMib: 1024,
    vcpus: 2,
    cpu,
    machine: "pc-q35-7.2",
    disks: [],
    nics: [],
  });

function move(cpu: Partial<Vm["cpu"]>, from: HostCpu, to: HostCpu): MoveFacts {
  const vm = vmWith({ model: "Penryn-v1", add: [], remove: [], ...cpu });
  return {
    vm,
    runtime: {
      id: vm.id,
      name: vm.name,
      state: "running",
      pid: 1,
      accelerator: from.accelerator ?? "kvm",
      startedAt: null,
      memoryMib: 1024,
      pauseReason: null,
    },
    source: host("a", from).facts,
    sourceLoad: null,
    destination: { name: "b", takesVms: true, report: host("b", to) },
  };
}

/** Only what is about CPUs: the VM of these stories lies on no datastore of theirs. */
const cpuFindings = (facts: MoveFacts) => checkMove(facts).filter(({ code }) => code.includes("CPU"));

describe("what the VM has seen must be there", () => {
  test("a VM that was started with Nehalem's features may not go to a Penryn, and is told why", () => {
    const [finding, ...others] = cpuFindings(
      move(
        { model: "Nehalem-v1", vendor: "GenuineIntel", features: nehalem },
        { offers: nehalem },
        { offers: penryn, hardware: report(penryn) },
      ),
    );
    expect(others).toEqual([]);
    expect(finding).toMatchObject({
      code: "DESTINATION_CPU_LACKS",
      severity: "error",
      host: "b",
      vsphereFault: "CpuIncompatible1ECX",
      details: { features: ["popcnt", "sse4.2"], from: "a", vm: "web-1" },
    });
    expect(finding?.message).toBe(
      "VM web-1 cannot go from a to b: b cannot give what the VM's CPU Nehalem-v1 has at CPUID level 0x1, register ecx: popcnt (bit 23), sse4.2 (bit 20).",
    );
  });

  test("the other way the destination has more, which the VM does not see", () => {
    expect(
      cpuFindings(
        move({ vendor: "GenuineIntel", features: penryn }, { offers: penryn }, { offers: nehalem }),
      ),
    ).toEqual([]);
  });

  test("a stopped VM sees nothing of its last run again: an older host powers it on, unless its owner asks for more than it has", () => {
    const { destination } = move({}, { offers: nehalem }, { offers: penryn, hardware: report(penryn) });
    const last = { model: "Nehalem-v1", add: ["sse4.2"], features: nehalem };
    const atRest = (cpuWish?: Vm["cpuWish"]) => {
      const { vm } = move(last, { offers: nehalem }, { offers: penryn });
      const stopped = { ...vm, ...(cpuWish === undefined ? {} : { cpuWish }) };
      return checkRelocation({ vm: stopped, source: null, destination }).filter(({ code }) =>
        code.includes("CPU"),
      );
    };
    expect(atRest()).toEqual([]);
    expect(atRest({ add: [], remove: ["nx"] })).toEqual([]);
    expect(atRest({ add: ["sse4.2"], remove: [] })).toMatchObject([
      { code: "DESTINATION_CPU_LACKS", details: { features: ["sse4.2"] } },
    ]);
    expect(atRest({ model: "Unheard-of-v1", add: [], remove: [] })).toMatchObject([
      { code: "DESTINATION_CPU_UNKNOWN", details: { model: "Unheard-of-v1" } },
    ]);
  });

  test("NX switched off at the destination refuses a VM that has it, and not the way back", () => {
    const off = penryn.filter((name) => name !== "nx");
    const [finding] = cpuFindings(
      move({ features: penryn }, { offers: penryn }, { offers: off, hardware: report(off) }),
    );
    expect(finding).toMatchObject({ code: "DESTINATION_CPU_LACKS", vsphereFault: "CpuIncompatible81EDX" });
    expect(finding?.message).toContain("level 0x80000001, register edx: nx (bit 20)");
    expect(finding?.remedy).toMatch(/BIOS|firmware/i);
    expect(cpuFindings(move({ features: off }, { offers: off }, { offers: penryn }))).toEqual([]);
  });

  test("a feature that the hardware has and QEMU does not offer is QEMU's or the kernel's, not the hardware's", () => {
    const remedyOf = (to: HostCpu, lacking: string) =>
      cpuFindings(move({ features: [lacking] }, { offers: [lacking] }, to))[0]?.remedy;
    const hardware = report([...nehalem, "sha512"]);
    expect(remedyOf({ offers: penryn, hardware }, "sse4.2")).toContain("The hardware of b has sse4.2");
    expect(remedyOf({ offers: penryn, hardware, version: "7.2.22" }, "sha512")).toContain(
      "Upgrade QEMU on b to 9.2",
    );
    expect(remedyOf({ offers: penryn, hardware: null }, "sse4.2")).toContain("is not known");
    expect(remedyOf({ offers: penryn, hardware, accelerator: "tcg" }, "sse4.2")).toContain("emulate");
  });

  test("names that QEMU writes otherwise, derives from others or takes from the topology are no lack", () => {
    const features = ["fxsr-opt", "ht", "nx", "osxsave", "pni", "avx", "xsave", "xcr0-master-ymm-h"];
    expect(
      cpuFindings(move({ features }, { offers: [] }, { offers: ["ffxsr", "xd", "sse3", "avx", "xsave"] })),
    ).toEqual([]);
  });

  test("a VM may move exactly where all its features are offered (property)", () => {
    const names = table
      .filter(({ runtime, impliedBy }) => !runtime && impliedBy === null)
      .map(({ name }) => name);
    const byTopology = new Set(["ht", "cmp-legacy", "topoext"]);
    fc.assert(
      fc.property(fc.subarray(names), fc.subarray(names), (seen, offered) => {
        const findings = cpuFindings(move({ features: seen }, { offers: seen }, { offers: offered }));
        const lacking = seen.filter((name) => !offered.includes(name) && !byTopology.has(name)).sort();
        expect(mayMove(findings)).toBe(lacking.length === 0);
        if (lacking.length > 0) expect(findings[0]?.details.features).toEqual(lacking);
      }),
      { numRuns: 60 },
    );
  });
});

describe("vendors", () => {
  const to = (vendor: string) => ({ offers: nehalem, vendor });

  test("a VM never goes to another vendor's CPU", () => {
    const [finding] = cpuFindings(
      move({ vendor: "GenuineIntel", features: penryn }, { offers: penryn }, to("AuthenticAMD")),
    );
    expect(finding).toMatchObject({
      code: "DESTINATION_CPU_VENDOR_DIFFERS",
      vsphereFault: "CpuIncompatible",
    });
    expect(finding?.message).toContain("GenuineIntel");
    expect(finding?.message).toContain("AuthenticAMD");
  });

  test("what the report says of the vendor counts before what the kernel says", () => {
    const simulated = {
      offers: nehalem,
      vendor: "GenuineIntel",
      hardware: report(nehalem, [], "AuthenticAMD"),
    };
    expect(cpuFindings(move({ vendor: "GenuineIntel" }, { offers: penryn }, simulated))).toMatchObject([
      { code: "DESTINATION_CPU_VENDOR_DIFFERS" },
    ]);
  });

  test("a vendor that is not told is not taken for the same", () => {
    const codes = cpuFindings(move({ vendor: "GenuineIntel" }, { offers: penryn }, to("unknown"))).map(
      ({ code, vsphereFault }) => [code, vsphereFault],
    );
    expect(codes).toEqual([["DESTINATION_CPU_UNDETERMINED", "CpuCompatibilityUnknown"]]);
  });

  test("a VM of which no vendor is stored is not asked for one", () => {
    expect(cpuFindings(move({ features: penryn }, { offers: penryn }, to("AuthenticAMD")))).toEqual([]);
  });
});

describe("a model that follows the host", () => {
  const follows = { model: "host", vendor: "GenuineIntel" } as const;

  test("moves between hosts that offer the same", () => {
    expect(cpuFindings(move(follows, { offers: nehalem }, { offers: [...nehalem].reverse() }))).toEqual([]);
  });

  test("is refused where programs would see more, and where they would see less", () => {
    expect(cpuFindings(move(follows, { offers: penryn }, { offers: nehalem }))).toMatchObject([
      { code: "DESTINATION_CPU_SHOWS_MORE", severity: "error", vsphereFault: "CpuIncompatible1ECX" },
    ]);
    expect(cpuFindings(move(follows, { offers: nehalem }, { offers: penryn }))).toMatchObject([
      { code: "DESTINATION_CPU_LACKS", details: { features: ["popcnt", "sse4.2"] } },
    ]);
  });

  test("may find a kernel-level feature more", () => {
    const without = nehalem.filter((name) => name !== "nx");
    expect(cpuFindings(move(follows, { offers: without }, { offers: nehalem }))).toEqual([]);
  });
});

describe("instructions that are hidden and run all the same", () => {
  const skylake = [...nehalem, "avx2", "avx", "xsave", "adx", "bmi2", "rdseed", "erms", "smap"];
  const from = { offers: nehalem, hardware: report(skylake) };
  const to = { offers: nehalem, hardware: report(nehalem) };

  test("are warned of where the destination lacks them; nothing is refused", () => {
    const findings = cpuFindings(move({ model: "Nehalem-v1", features: nehalem }, from, to));
    expect(findings).toMatchObject([{ code: "CPU_HIDDEN_FEATURES_DIFFER", severity: "warning" }]);
    expect(mayMove(findings)).toBe(true);
    // AVX faults with its part of XCR0 off, RDSEED is trapped, ERMS only promises speed, SMAP is the kernel's.
    expect(findings[0]?.message).toContain("adx");
    expect(findings[0]?.message).toContain("bmi2");
    expect(findings[0]?.message).not.toMatch(/avx|rdseed|erms|smap/);
  });

  test("are no matter the other way, with a baseline, of an emulated VM, and where reports are missing", () => {
    const vm = { model: "Nehalem-v1", features: nehalem };
    expect(cpuFindings(move(vm, to, from))).toEqual([]);
    expect(cpuFindings(move({ ...vm, evcMode: "intel-nehalem@1" }, from, to))).toEqual([]);
    expect(cpuFindings(move(vm, { ...from, accelerator: "tcg" }, { ...to, accelerator: "tcg" }))).toEqual([]);
    expect(cpuFindings(move(vm, from, { ...to, hardware: null }))).toEqual([]);
  });

  test("are not warned of where it is only not told that the destination has them", () => {
    const silent = { ...to, hardware: report(nehalem, ["adx", "bmi2"]) };
    expect(cpuFindings(move({ model: "Nehalem-v1", features: nehalem }, from, silent))).toEqual([]);
  });
});

test("a VM that does not run is asked only whether its model can be had", () => {
  const facts = move(
    { model: "Nehalem-v1", vendor: "GenuineIntel", features: nehalem },
    { offers: nehalem },
    {
      offers: [],
      vendor: "AuthenticAMD",
    },
  );
  expect(checkRelocation(facts).filter(({ code }) => code.includes("CPU"))).toEqual([]);
  const lacking = move(
    { model: "Nehalem-v1" },
    { offers: [] },
    {
      offers: penryn,
      models: [{ name: "Nehalem-v1", unavailableFeatures: ["sse4.2"] }],
    },
  );
  expect(checkRelocation(lacking)).toEqual([]);
  const cpuWish = { model: "Nehalem-v1", add: [], remove: [] };
  const [finding] = checkRelocation({ ...lacking, vm: { ...lacking.vm, cpuWish } });
  expect(finding?.message).toContain("VM web-1 cannot run on b");
});
