/** Features in model-specific registers: who tells them, and what they mean for a move. */
import { describe, expect, test } from "vitest";
import {
  compareCpus,
  cpuOf,
  fullReportText,
  readCpuSource,
  reportOf,
  type Cpu,
  type CpuComparison,
} from "../../src/index.ts";
import { msrFeatures } from "../../src/index.ts";
import { cpuIn, dumpNamed, textOf } from "../collection.ts";

const reportIn = (text: string) => reportOf(readCpuSource(text, "a"));
const cascadeLake = dumpNamed("GenuineIntel0050657_CascadeLakeX_CPUID1");
/** Its dump with another value of MSR 0x10A; null: with none. */
const withValue = (label: string, value: string | null): Cpu => {
  const text = textOf(cascadeLake).replace(/^(MSR 0000010A: )\S+.*$/m, (_, start: string) =>
    value === null ? "" : `${start}${value}`,
  );
  return cpuOf(reportOf(readCpuSource(text, label)), label);
};
const verdicts = ({ aToB, bToA }: CpuComparison) => [aToB.verdict, bToA.verdict];

describe("ARCH_CAPABILITIES", () => {
  test("of a dump is told by the register's value, and the text report names its bits", () => {
    const text = fullReportText(reportIn(textOf(cascadeLake)));
    expect(text).toContain("ARCH_CAPABILITIES : rdctl-no, ibrs-all, skip-l1dfl-vmentry, mds-no\n");
    const { has, lacks } = reportIn(text).msrFeatures ?? { has: [], lacks: [] };
    expect(has).toContain("rdctl-no");
    expect(lacks).toEqual(expect.arrayContaining(["taa-no", "gds-no", "rfds-no", "its-no"]));
  });

  test("that differ refuse the move to the host with less, with place and cause", () => {
    const [more, fewer] = [
      withValue("more", "0000-0000-0000-00AB"),
      withValue("fewer", "0000-0000-0000-002B"),
    ];
    const comparison = compareCpus(more, fewer);
    expect(verdicts(comparison)).toEqual(["may-not", "may"]);
    expect(comparison.aToB.reasons).toEqual([
      "fewer lacks tsx-ctrl of ARCH_CAPABILITIES (MSR 0x10A), which a guest on more that is shown arch-capabilities may rely on.",
    ]);
    expect(comparison.differences).toEqual([
      expect.objectContaining({ feature: "tsx-ctrl", msr: 0x10a, bit: 7, leaf: null, place: "MSR 0x10A[7]" }),
    ]);
  });

  test("that are not reported leave it open, never allowed; the reason says whose and what to do", () => {
    const comparison = compareCpus(withValue("known", "0000-0000-0000-00AB"), withValue("silent", null));
    expect(verdicts(comparison)).toEqual(["unknown", "unknown"]);
    expect(comparison.aToB.reasons.join()).toMatch(
      /ARCH_CAPABILITIES \(MSR 0x10A\) holds is not reported of silent: rdctl-no, .*as root, with the kernel module msr/,
    );
    const both = compareCpus(withValue("a", null), withValue("b", null));
    expect(verdicts(both)).toEqual(["unknown", "unknown"]);
    expect(both.untold).toContain("taa-no");
  });

  test("a weakness must be alike on both", () => {
    const [weak, sound] = [
      withValue("weak", "0000-0000-0000-002F"),
      withValue("sound", "0000-0000-0000-002B"),
    ];
    expect(verdicts(compareCpus(weak, sound))).toEqual(["may-not", "may-not"]);
    expect(compareCpus(sound, weak).aToB.reasons.join()).toContain("weak has the weakness rsba");
  });

  test("do not count where the CPU has no such register", () => {
    const skylake = cpuIn(dumpNamed("GenuineIntel0050654_SkylakeXeon_CPUID"), "old");
    expect(verdicts(compareCpus(skylake, { ...skylake, label: "other" }))).toEqual(["may", "may"]);
  });
});

const expansion = (name: string, props: Record<string, unknown>) =>
  JSON.stringify({ return: { model: { name, props } } });
const props = {
  ...Object.fromEntries(
    `fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 pni lm nx vmx
     arch-capabilities kvm-asyncpf rdctl-no mds-no vmx-ept`
      .split(/\s+/)
      .map((one) => [one, true]),
  ),
  ...{ "taa-no": false, "tsx-ctrl": false, "vmx-vpid": false, avx: false, vendor: "GenuineIntel", family: 6 },
  ...{ model: 85, stepping: 7, "model-id": "Intel Xeon", "phys-bits": 0 },
};

describe("QEMU's answer to query-cpu-model-expansion", () => {
  test("is read as what guests can get, register by register", () => {
    const report = reportIn(expansion("host", props));
    expect(report).toMatchObject({
      ...{ format: "qemu", vendor: "GenuineIntel", family: 6, model: 85, stepping: 7, brand: "Intel Xeon" },
      ...{ hypervisor: "KVMKVMKVM", offered: true },
      msrFeatures: { has: ["mds-no", "rdctl-no", "vmx-ept"], lacks: ["taa-no", "tsx-ctrl", "vmx-vpid"] },
    });
    expect(report.features).toContain("arch-capabilities");
    expect(report.features).not.toContain("avx");
    expect(report.unknownFeatures).not.toContain("avx");
  });

  test("within a QMP session's transcript too; reads back from our own report, text and JSON", () => {
    const report = reportIn(`{"QMP": {}}\n{"return": {}}\n${expansion("max", props)}\n{"return": {}}\n`);
    expect(report.msrFeatures?.has).toEqual(["mds-no", "rdctl-no", "vmx-ept"]);
    expect(reportIn(JSON.stringify(report)).msrFeatures).toEqual(report.msrFeatures);
    expect(reportIn(fullReportText(report)).msrFeatures).toEqual(report.msrFeatures);
  });

  test("a static expansion, or half an answer, is refused with what was expected", () => {
    expect(() => reportIn(expansion("base", { avx: true }))).toThrow(/expand the model with the type "full"/);
    expect(() => reportIn('{"return": {"model": {"name": "max", "props": {')).toThrow(
      /an answer with "model"/,
    );
  });
});

describe("libvirt", () => {
  const host = (features: string, model = "Cascadelake-Server-noTSX") =>
    reportIn(
      `<domainCapabilities><domain>kvm</domain><arch>x86_64</arch><cpu><mode name='host-model' supported='yes'>
       <model canonical='x'>${model}</model><vendor>Intel</vendor>
       ${features
         .split(" ")
         .map((one) => `<feature policy='require' name='${one}'/>`)
         .join("")}</mode></cpu></domainCapabilities>`,
    ).msrFeatures;

  test("tells the bits that it lists, and those of a listed register that it does not", () => {
    const told = host("arch-capabilities rdctl-no mds-no vmx-ept");
    expect(told?.has).toEqual(["mds-no", "rdctl-no", "vmx-ept"]);
    expect(told?.lacks).toEqual(expect.arrayContaining(["taa-no", "rsba"]));
    // libvirt 9.0 has no name for it.
    expect(told?.lacks).not.toContain("gds-no");
  });

  test("a register of which nothing is listed may not have been read", () => {
    expect(host("arch-capabilities")).toBeUndefined();
  });

  test("a named model has those of its definition", () => {
    expect(host("arch-capabilities", "Cascadelake-Server-v2")?.has).toEqual([
      "ibrs-all",
      "mds-no",
      "rdctl-no",
      "skip-l1dfl-vmentry",
    ]);
  });
});

describe("Linux and VMware", () => {
  const cpuinfo = (vendor: string) =>
    `processor\t: 0\nvendor_id\t: ${vendor}\ncpu family\t: 6\nmodel\t\t: 85\nflags\t\t: fpu vmx ibrs_enhanced arch_capabilities\nvmx flags\t: vnmi ept vpid flexpriority apicv\n`;

  test("/proc/cpuinfo tells of enhanced IBRS and of VMX, and of nothing that it is absent", () => {
    expect(reportIn(cpuinfo("GenuineIntel")).msrFeatures).toEqual({
      has: ["ibrs-all", "vmx-ept", "vmx-vnmi", "vmx-vpid"],
      lacks: [],
    });
    expect(reportIn(cpuinfo("AuthenticAMD")).msrFeatures).toBeUndefined();
  });

  test("a vmware.log tells registers that all of its CPUs have alike", () => {
    const log = textOf(cascadeLake)
      .split("\n")
      .flatMap((line) => {
        const [, leaf, words] = /^CPUID ([0-9A-F]{8}): ((?:[0-9A-F]{8}-?){4})/.exec(line) ?? [];
        return leaf === undefined || !/^(?:0000000[0-3]|8000000[0-8])$/.test(leaf)
          ? []
          : [
              `x vmx hostCPUID level ${leaf}, 0: ${(words ?? "")
                .split("-")
                .map((one) => `0x${one}`)
                .join(" ")}`,
            ];
      })
      .filter((line, index, all) => all.findIndex((one) => one.slice(0, 40) === line.slice(0, 40)) === index);
    const text = [...log, "x vmx Common: MSR      0x10a =               0x2b"].join("\n");
    expect(reportIn(text).msrFeatures?.has).toEqual(["ibrs-all", "mds-no", "rdctl-no", "skip-l1dfl-vmentry"]);
  });
});

describe("what VMX can do", () => {
  const nested = (label: string, has: string[], lacks: string[]): Cpu => ({
    ...cpuIn(dumpNamed("GenuineIntel0010676_Harpertown_CPUID"), label),
    msrFeatures: { has, lacks },
  });

  test("only warns: it concerns VMs that run VMs", () => {
    const comparison = compareCpus(nested("a", ["vmx-ept"], []), nested("b", [], ["vmx-ept"]));
    expect(verdicts(comparison)).toEqual(["may", "may"]);
    expect(comparison.warnings).toEqual([expect.stringContaining("What VMX can do differs (vmx-ept)")]);
    const silent = compareCpus(nested("a", ["vmx-ept"], []), nested("b", [], []));
    expect(silent.warnings).toEqual([expect.stringContaining("is not reported of b: it matters only")]);
  });
});

test("no name is given twice, none is a name of CPUID's, and each place is one feature's", () => {
  const placesOf = msrFeatures.map(({ msr, bit }) => `${String(msr)}.${String(bit)}`);
  expect(new Set(msrFeatures.map(({ name }) => name)).size).toBe(msrFeatures.length);
  expect(new Set(placesOf).size).toBe(msrFeatures.length);
});
