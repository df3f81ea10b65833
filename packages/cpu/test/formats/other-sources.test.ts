/** What operators have at hand beside dumps: logs and outputs of other systems' tools. */
import { describe, expect, test } from "vitest";
import { readCpuSource, reportOf, type CpuidLeaf } from "../../src/index.ts";
import { server } from "./dumps.ts";

const report = (text: string) => reportOf(readCpuSource(text, "a"));
const hex = (word: number, digits = 8): string => word.toString(16).padStart(digits, "0");
const whole = report(
  server
    .map(
      ({ leaf, subleaf, eax, ebx, ecx, edx }) =>
        `   0x${hex(leaf)} 0x${hex(subleaf, 2)}: eax=0x${hex(eax)} ebx=0x${hex(ebx)} ecx=0x${hex(ecx)} edx=0x${hex(edx)}`,
    )
    .join("\n"),
);

describe("vmware.log", () => {
  const lines = (leaves: readonly CpuidLeaf[], who = "hostCPUID") =>
    leaves.map(
      ({ leaf, subleaf, eax, ebx, ecx, edx }) =>
        `2026-01-02T03:04:05.678Z In(05) vmx ${who} level ${hex(leaf)}, ${subleaf.toString(16)}: ${[eax, ebx, ecx, edx].map((word) => `0x${hex(word)}`).join(" ")}`,
    );
  const text = [
    "2026-01-02T03:04:05.678Z In(05) vmx Log for VMware ESX",
    "2026-01-02T03:04:05.678Z In(05) vmx hostCPUID vendor: GenuineIntel",
    ...lines(server),
    ...lines([{ leaf: 1, subleaf: 0, eax: 0, ebx: 0, ecx: 0, edx: 0 }], "guestCPUID"),
    ...lines([{ leaf: 1, subleaf: 0, eax: 0, ebx: 0, ecx: 0, edx: 0 }], "CPUID[1]"),
  ].join("\n");

  test("tells the host's registers, and not the guest's", () => {
    expect(report(text)).toMatchObject({
      format: "vmware-log",
      features: whole.features,
      evcModes: whole.evcModes,
    });
  });

  test("of several power-ons the last counts", () => {
    const other = server.map((one) => (one.leaf === 1 ? { ...one, ecx: 0 } : one));
    expect(report([...lines(other), text].join("\n")).features).toEqual(whole.features);
  });

  test("a line that is cut is said with its number", () => {
    expect(() => report(text.replace(/(hostCPUID level 00000007, 0: 0x\w+ ).*/, "$1"))).toThrow(
      /\(vmware\.log\) cannot be read at line 11: four registers were expected/,
    );
  });
});

test("x86info -r", () => {
  const text = server
    .filter(({ subleaf }) => subleaf === 0)
    .map(
      ({ leaf, eax, ebx, ecx, edx }) =>
        `eax in: 0x${hex(leaf)}, eax = ${hex(eax)} ebx = ${hex(ebx)} ecx = ${hex(ecx)} edx = ${hex(edx)}`,
    );
  const told = report(["x86info v1.31pre", "Found 1 CPU", ...text].join("\n"));
  expect(told).toMatchObject({ format: "x86info", family: 6, model: 0x4f, evcModes: whole.evcModes });
  expect(told.unknownFeatures).toContain("xsaveopt");
});

describe("lscpu", () => {
  const fields = {
    Architecture: "x86_64",
    "CPU(s)": "16",
    "Vendor ID": "GenuineIntel",
    "Model name": "Example CPU",
    "CPU family": "6",
    Model: "85",
    Stepping: "7",
    Flags: "fpu sse sse2 lm ssbd ibrs ibpb avx512_vnni",
  };
  const text = Object.entries(fields)
    .map(([key, value]) => `${`${key}:`.padEnd(24)}${value}`)
    .join("\n");
  const told = {
    format: "lscpu",
    vendor: "GenuineIntel",
    family: 6,
    model: 85,
    stepping: 7,
    logicalCpus: 16,
  };

  test("as text and as JSON", () => {
    expect(report(text)).toMatchObject(told);
    expect(report(text).features).toEqual(["avx512vnni", "fpu", "lm", "spec-ctrl", "ssbd", "sse", "sse2"]);
    const [architecture, ...children] = Object.entries(fields).map(([key, data]) => ({
      field: `${key}:`,
      data,
    }));
    expect(report(JSON.stringify({ lscpu: [{ ...architecture, children }] }))).toMatchObject(told);
  });

  test("of another architecture", () => {
    expect(() => report(text.replace("x86_64", "aarch64"))).toThrow(/architecture aarch64/);
  });
});

describe("xe host-cpu-info", () => {
  const head =
    "cpu_count           : 8\nvendor              : GenuineIntel\nmodelname           : Example\nfamily              : 6\nmodel               : 79\nstepping            : 1\n";
  const at = (leaf: number, subleaf = 0): CpuidLeaf =>
    server.find((one) => one.leaf === leaf && one.subleaf === subleaf) ?? {
      ...{ leaf, subleaf, eax: 0, ebx: 0, ecx: 0, edx: 0 },
    };

  test("the four words of old releases are the host's", () => {
    const words = [at(1).ecx, at(1).edx, at(0x80000001).ecx, at(0x80000001).edx].map((word) => hex(word));
    const told = report(`${head}features            : ${words.join("-")}\n`);
    expect(told).toMatchObject({ format: "xe-host-cpu-info", hypervisor: null, logicalCpus: 8, model: 79 });
    expect(told.features).toEqual(expect.arrayContaining(["aes", "avx", "nx"]));
    expect(told.unknownFeatures).toContain("avx2");
  });

  test("the longer sets are what Xen offers to guests", () => {
    const words = [
      ...[at(1).edx, at(1).ecx, at(0x80000001).edx, at(0x80000001).ecx, at(0xd, 1).eax],
      ...[at(7).ebx, at(7).ecx, at(0x80000007).edx, at(0x80000008).ebx, at(7).edx],
    ].map((word) => hex(word));
    const told = report(
      `${head}features_pv         : 00000000-00000000-00000000-00000000\nfeatures_hvm        : ${words.join("-")}\n`,
    );
    expect(told).toMatchObject({ hypervisor: "XenVMMXenVMM", offered: true, evcModes: whole.evcModes });
    expect(told.features).toEqual(expect.arrayContaining(["avx2", "spec-ctrl", "xsaveopt"]));
  });

  test("what is no set is said", () => {
    expect(() => report(`${head}features_hvm        : 1fcbfbff-f7fa\n`)).toThrow(
      /words of eight hexadecimal/,
    );
  });
});
