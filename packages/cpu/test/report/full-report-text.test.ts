/** A text report tells all that its dump told: read back, it gives the same answers. */
import { describe, expect, test } from "vitest";
import {
  compareCpus,
  cpuOf,
  fullReportText,
  readCpuSource,
  reportOf,
  reportText,
  type Cpu,
} from "../../src/index.ts";
import { dumpNamed, instlatx64Dumps, libcpuidDumps, textOf } from "../collection.ts";

const reportIn = (text: string, label: string) => reportOf(readCpuSource(text, label));

describe("read back", () => {
  test.each([...instlatx64Dumps, ...libcpuidDumps])("$name", (dump) => {
    const report = reportIn(textOf(dump), dump.name);
    const again = reportIn(fullReportText(report), dump.name);
    expect({ ...again, notes: [] }).toEqual({ ...report, format: "vmware-report", notes: [] });
    expect(again.notes).toEqual(expect.arrayContaining(report.notes));
    expect(fullReportText(again)).toBe(fullReportText({ ...report, notes: again.notes }));
  });

  test.each([
    "<cpu><arch>x86_64</arch><model>Haswell-noTSX</model><vendor>Intel</vendor></cpu>",
    "<domainCapabilities><domain>kvm</domain><cpu><mode name='host-model' supported='yes'><model>EPYC</model></mode></cpu></domainCapabilities>",
  ])("what is known by name only: %s", (xml) => {
    const report = reportIn(xml, "a");
    const again = reportIn(fullReportText(report), "a");
    expect({ ...again, notes: [] }).toEqual({ ...report, format: "vmware-report", notes: [] });
  });
});

test("verdicts of text reports are those of the dumps: three servers", () => {
  const names = [
    "GenuineIntel0050654_SkylakeXeon_CPUID",
    "GenuineIntel00806F8_SapphireRapids_05_CPUID",
    "AuthenticAMD0800F12_K17_Zen_CPUID",
  ];
  const known = names.map(dumpNamed);
  const byDump = known.map((dump) => cpuOf(reportIn(textOf(dump), dump.name)));
  const byText = known.map((dump) =>
    cpuOf(reportIn(fullReportText(reportIn(textOf(dump), dump.name)), dump.name)),
  );
  const verdictsOf = (cpus: readonly Cpu[]) =>
    cpus.flatMap((a) =>
      cpus.map((b) => [compareCpus(a, b).aToB.verdict, compareCpus(a, b).differences.length]),
    );
  expect(verdictsOf(byText)).toEqual(verdictsOf(byDump));
});

test("of an earlier Godwit, which printed no leaves: what its EVC modes have is known, the rest is not", () => {
  const text = reportText(reportIn(textOf(dumpNamed("GenuineIntel0050654_SkylakeXeon_CPUID")), "a"));
  const { evcModes, features, unknownFeatures } = reportIn(text, "a");
  expect(evcModes.at(-1)).toBe("intel-skylake");
  expect(features).toContain("avx512f");
  expect(unknownFeatures).toEqual(expect.arrayContaining(["vaes", "gfni"]));
});

test("the four registers and the leaves must be of one CPU", () => {
  const text = fullReportText(reportIn(textOf(dumpNamed("GenuineIntel0050654_SkylakeXeon_CPUID")), "a"));
  const lie = text.replace(/^(Leaf 0x00000001 .*) (0x\w+)$/m, "$1 0x00000000");
  expect(() => readCpuSource(lie, "a")).toThrow(/ID1EDX is .* but its leaf below says 0x00000000/);
  const cut = text.slice(0, text.indexOf("Leaf 0x80000001") + 40);
  expect(() => readCpuSource(cut, "a")).toThrow(/a line of godwit cpu report was expected/);
});
