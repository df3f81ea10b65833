/** What a report says of a CPU, and how sure it is of it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readCpuSource, reportOf, reportText, type CpuidLeaf, type CpuSource } from "../../src/index.ts";
import { testData } from "../collection.ts";
import { changed, cpuidRaw, cpuOfLeaves, harpertownReport, leaf0, server } from "../formats/dumps.ts";

const sourceOf = (leaves: readonly CpuidLeaf[], more: Partial<CpuSource> = {}): CpuSource => ({
  format: "cpuid-device",
  label: "a",
  cpus: [cpuOfLeaves(leaves)],
  named: null,
  notes: [],
  ...more,
});
const withMsr = (leaves: readonly CpuidLeaf[], msr: number, value: bigint | null) =>
  reportOf(sourceOf(leaves, { cpus: [{ ...cpuOfLeaves(leaves), msrs: [{ msr, value }] }] }));
/** The server as another model of Intel's family 6. */
const intelModel = (model: number) =>
  changed(server, 1, { eax: ((model >>> 4) << 16) | ((model & 0xf) << 4) | 0x600 });

describe("the report of the VMware utility", () => {
  const block = (id1ecx: string) => `Random_Init: Using random seed: 0x1234abcd
Reporting CPUID for 1 logical CPU...
${harpertownReport(id1ecx, "a")}
PASS: Test 7: CPUID
Press any key to reboot.
`;

  test("prints again letter by letter", () => {
    const text = block("0x000ce3bd");
    expect(reportText(reportOf(readCpuSource(text, "a")))).toBe(text);
  });

  test("VMware's pair of Harpertowns differs in XSAVE alone (KB 1008315)", () => {
    const [early, late] = ["0x000ce3bd", "0x040ce3bd"].map((word) =>
      reportOf(readCpuSource(block(word), "a")),
    );
    const known = new Set(early?.features);
    // With XSAVE come the two state components that every CPU with it has.
    const more = ["xcr0-master-legacy-fp", "xcr0-master-sse", "xsave"];
    expect(late?.features.filter((name) => !known.has(name))).toEqual(more);
    expect(late?.features).toHaveLength((early?.features.length ?? 0) + more.length);
    expect(late?.evcModes).toEqual(early?.evcModes);
  });

  test("the published one prints again letter by letter; no mode follows from its registers", () => {
    const text = readFileSync(join(testData, "vmware-report-i7-6500u-in-vm.txt"), "utf8");
    const report = reportOf(readCpuSource(text, "a"));
    expect(reportText(report)).toBe(text);
    expect(report).toMatchObject({
      evcModes: [],
      hypervisor: "unknown",
      flexMigration: false,
      vmware64: false,
    });
    // MWAIT is what all of Intel's modes need and it lacks: with it, the line would be another one.
    const native = text.replace("0xf7fa2203", "0x77fa220b").replace("0x00000122", "0x00000121");
    expect(reportText(reportOf(readCpuSource(native, "a")))).toMatch(/^Supported EVC modes : intel-merom/m);
  });
});

describe("a machine", () => {
  test("tells all lines of the utility's report, without the frame of a test run", () => {
    const text = reportText(reportOf(sourceOf(server, { label: "/dev/cpu/N/cpuid of host a" })));
    expect(text).toBe(`Reporting CPUID for 1 logical CPU...

Family: 06 Model: 4f Stepping: 1

ID1ECX    ID1EDX    ID81ECX    ID81EDX
0x7ffefbff 0xbfebfbff 0x00000121 0x2c100800

Vendor           : Intel
Brand String      : "Example(R) Server CPU @ 2.00GHz"
SSE Support       : SSE1, SSE2, SSE3, SSSE3, SSE4.1, SSE4.2
Supports NX / XD  : Yes
Supports CMPXCHG16B : Yes
Supports RDTSCP   : Yes
Hyperthreading    : Yes
Supports Flex Migration : Yes
Supports 64-bit Longmode : Yes
Supports 64-bit VMware : Unknown
Supported EVC modes : intel-merom, intel-penryn, intel-nehalem, intel-westmere, intel-sandybridge, intel-ivybridge, intel-haswell, intel-broadwell

Source: /dev/cpu/N/cpuid of host a
Note: Flex Migration: by its model: Ivy Bridge, Avoton and later have CPUID faulting.
Note: Whether VMware could run 64-bit guests on it is not known: VMX is there, but whether the firmware has switched it on (MSR 0x3A) was not read.
`);
  });

  test("a feature is absent when the CPU says that its leaf is not there, and unknown when nobody says", () => {
    const { features, unknownFeatures } = reportOf(sourceOf(server));
    // Leaf 7 ends with subleaf 0; leaf 0x80000021 is beyond the highest; SVM's leaf needs SVM.
    for (const name of ["avx-vnni", "auto-ibrs", "npt"]) {
      expect(features).not.toContain(name);
      expect(unknownFeatures).not.toContain(name);
    }
    const withoutSeven = reportOf(sourceOf(server.filter((one) => one.leaf !== 7)));
    expect(withoutSeven.unknownFeatures).toEqual(expect.arrayContaining(["avx2", "avx-vnni", "bmi1"]));
    expect(withoutSeven.evcModes.at(-1)).toBe("intel-sandybridge");
    expect(withoutSeven.notes.join("\n")).toMatch(
      /It is not known whether it satisfies intel-ivybridge, intel-haswell/,
    );
  });

  test("of a CPU without extended leaves nothing of them is unknown", () => {
    const old = [
      leaf0(2, "GenuineIntel"),
      { leaf: 1, subleaf: 0, eax: 0x683, ebx: 0, ecx: 0, edx: 0x0383f9ff },
      { leaf: 0x80000000, subleaf: 0, eax: 0x03020101, ebx: 0, ecx: 0, edx: 0 },
    ];
    const report = reportOf(sourceOf(old));
    expect(report).toMatchObject({
      longMode: false,
      nx: false,
      rdtscp: false,
      vmware64: false,
      unknownFeatures: [],
      brand: "",
    });
  });

  test("the first Pentiums told their signature for their highest leaf", () => {
    const p5 = [
      leaf0(0x513, "GenuineIntel"),
      { leaf: 1, subleaf: 0, eax: 0x513, ebx: 0, ecx: 0, edx: 0x1bf },
    ];
    const report = reportOf(readCpuSource(cpuidRaw([cpuOfLeaves(p5)]), "a"));
    expect(report).toMatchObject({ family: 5, model: 1, stepping: 3 });
    expect(report.unknownFeatures).not.toContain("avx2");
  });

  test("a 32-bit program that has read SYSCALL is recognised", () => {
    const { notes } = reportOf(sourceOf(changed(server, 0x80000001, { edx: 0x2c100000 })));
    expect(notes.join("\n")).toMatch(/SYSCALL is 0 beside long mode/);
  });

  test("a VM's hypervisor is named by itself", () => {
    const virtual = changed(server, 1, { ecx: 0xfffefbff });
    expect(reportOf(sourceOf(virtual)).hypervisor).toBe("unknown");
    const kvm = { ...leaf0(0x40000001, "KVMKVMKVM\0\0\0"), leaf: 0x40000000 };
    // A hypervisor spells in the order EBX, ECX, EDX.
    const named = reportOf(sourceOf([...virtual, { ...kvm, ecx: kvm.edx, edx: kvm.ecx }]));
    expect(named.hypervisor).toBe("KVMKVMKVM");
    expect(named.flexMigration).toBeNull();
  });
});

describe("Flex Migration", () => {
  test("CPUID faulting is what MSR 0xCE says, whatever the model", () => {
    expect(withMsr(intelModel(0xfe), 0xce, 1n << 31n).flexMigration).toBe(true);
    expect(withMsr(intelModel(0xfe), 0xce, 0n).flexMigration).toBe(false);
    expect(withMsr(server, 0xce, 0n).flexMigration).toBe(false);
  });

  test.each([
    [0x17, true, "MSR 0x478"],
    [0x2c, true, "MSRs 0x130 and 0x131"],
    [0x2d, true, "MSRs 0x132 to 0x134"],
    [0x3e, true, "Ivy Bridge"],
    [0x4d, true, "Avoton"],
    [0x37, false, "before CPUID faulting"],
    [0x0f, false, "before CPUID faulting"],
    [0xfe, null, "MSR 0xCE was not read"],
  ])("Intel's model %i without its MSR: %s", (model, has, because) => {
    const report = reportOf(sourceOf(intelModel(model)));
    expect(report.flexMigration).toBe(has);
    expect(report.notes.join("\n")).toContain(because);
  });

  test("masking MSRs stay where CPUID faulting is not there", () => {
    expect(withMsr(intelModel(0x2a), 0xce, 0n).flexMigration).toBe(true);
  });

  const amd = (eax: number, leaf21 = 0) => [
    leaf0(0xd, "AuthenticAMD"),
    { leaf: 1, subleaf: 0, eax, ebx: 0, ecx: 1, edx: 0x078bfbff },
    { leaf: 0x80000000, subleaf: 0, eax: 0x80000021, ebx: 0, ecx: 0, edx: 0 },
    { leaf: 0x80000001, subleaf: 0, eax, ebx: 0, ecx: 0, edx: 0x20100800 },
    { leaf: 0x80000021, subleaf: 0, eax: leaf21, ebx: 0, ecx: 0, edx: 0 },
  ];
  test.each([
    ["a K8 before revision E", 0x00000f48, false],
    ["a K8 of revision E", 0x00020f12, true],
    ["a Barcelona", 0x00100f23, true],
    ["a Griffin", 0x00200f31, false],
    ["a Milan", 0x00a00f11, true],
    ["a K7", 0x00000662, null],
  ])("AMD's table: %s", (_, eax, has) => {
    expect(reportOf(sourceOf(amd(eax))).flexMigration).toBe(has);
  });

  test("CPUID that can be denied to user programs counts, too", () => {
    expect(reportOf(sourceOf(amd(0x00000662, 1 << 17))).flexMigration).toBe(true);
  });

  test("of other vendors nothing is known", () => {
    const hygon = server.map((one) => (one.leaf === 0 ? leaf0(0xd, "HygonGenuine") : one));
    expect(reportOf(sourceOf(hygon)).flexMigration).toBeNull();
  });
});

describe("64-bit guests of VMware", () => {
  test("Intel: VMX must be there, and not switched off by the firmware", () => {
    expect(reportOf(sourceOf(changed(server, 1, { ecx: 0x7ffefbdf }))).vmware64).toBe(false);
    expect(reportOf(sourceOf(server)).vmware64).toBeNull();
    expect(withMsr(server, 0x3a, 5n).vmware64).toBe(true);
    expect(withMsr(server, 0x3a, 1n).vmware64).toBe(false);
    expect(withMsr(server, 0x3a, 0n).vmware64).toBe(true);
  });
});

describe("machines whose logical CPUs differ", () => {
  const machine = (...kinds: (readonly CpuidLeaf[])[]) =>
    reportOf(sourceOf(server, { cpus: kinds.map((leaves, id) => cpuOfLeaves(leaves, id)) }));

  test("APIC numbers and what a system has switched on are no differences", () => {
    const other = changed(changed(server, 1, { ebx: 0x1f100800, ecx: 0x77fefbff }), 0xd, { ebx: 0x240 });
    expect(machine(server, other).coreDifferences).toEqual([]);
  });

  test("a core that the firmware left behind, and cores of another kind", () => {
    const behind = changed(server, 7, { edx: 0 });
    const small = changed(changed(server, 1, { eax: 0x000906ea }), 7, { ebx: 0x021cbfbb & ~(1 << 5) });
    const report = machine(server, behind, small, server, small);
    expect(report.coreDifferences).toEqual(
      [
        {
          cpus: [1],
          lacks: ["md-clear", "spec-ctrl", "ssbd", "stibp", "flush-l1d"].sort(),
          adds: [],
          signature: null,
        },
        { cpus: [2, 4], lacks: ["avx2"], adds: [], signature: { family: 6, model: 0x9e, stepping: 0xa } },
      ].map((one) => ({ ...one, lacks: expect.arrayContaining(one.lacks) as string[] })),
    );
    expect(report.notes.join("\n")).toMatch(
      /Logical CPUs 2, 4 differ from the first: they lack avx2, are family 6 model 9e stepping a\./,
    );
  });
});
