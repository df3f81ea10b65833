/** Every format is read for what it is, whatever the file is called; and a broken file is reported with the place. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GodwitError } from "@godwit/contract";
import { cpuOf, readCpuSource, reportOf, reportText, type CpuidLeaf } from "../../src/index.ts";
import { testData } from "../collection.ts";
import {
  aida64,
  anyLeaves,
  brandLeaves,
  changed,
  cpuidRaw,
  cpuOfLeaves,
  libcpuid,
  server,
  type Aida64Variant,
} from "./dumps.ts";

const variants: readonly Aida64Variant[] = ["colon", "tab", "tight", "spaces"];

function problemOf(text: string): { code: string; message: string } {
  try {
    readCpuSource(text, "file.txt");
  } catch (error) {
    if (GodwitError.is(error)) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error("it was read");
}

/** The text with a change; it must have changed. */
function edited(text: string, from: string | RegExp, to: string): string {
  const result = text.replace(from, to);
  expect(result).not.toBe(text);
  return result;
}

const fieldFile = (name: string): string => readFileSync(join(testData, "field", name), "utf8");

const twoCpus = [cpuOfLeaves(server, 0), cpuOfLeaves(changed(server, 1, { ebx: 0x02100800 }), 1)];

describe("what is written is read", () => {
  test.each(variants)("AIDA64 and InstLatx64, with lines like %s", (variant) => {
    fc.assert(
      fc.property(fc.array(anyLeaves, { minLength: 1, maxLength: 3 }), (machines) => {
        const cpus = machines.map((leaves, id) => cpuOfLeaves(leaves, id));
        const source = readCpuSource(aida64(cpus, variant), "a");
        expect(source).toEqual({ format: "aida64", label: "a", cpus, named: null, notes: [] });
      }),
      { numRuns: 50 },
    );
  });

  test("cpuid -r, of one logical CPU and of several", () => {
    fc.assert(
      fc.property(fc.array(anyLeaves, { minLength: 1, maxLength: 3 }), (machines) => {
        const cpus = machines.map((leaves, id) => cpuOfLeaves(leaves, machines.length === 1 ? null : id));
        expect(readCpuSource(cpuidRaw(cpus), "a")).toMatchObject({ format: "cpuid-raw", cpus, notes: [] });
      }),
      { numRuns: 50 },
    );
  });

  test("what our boot image writes to a serial port: its report, the raw words, then MSRs", () => {
    const raw = cpuidRaw(twoCpus);
    const report = reportText(reportOf(readCpuSource(raw, "a")));
    const log = `[    0.000000] Linux\n${report}\n--- begin ---\n${raw}MSR 000000CE: 0008-0838-F381-1C00\n--- end ---\n`;
    const { format, cpus } = readCpuSource(log.replaceAll("\n", "\r\n"), "a");
    expect(format).toBe("cpuid-raw");
    const msrs = [{ msr: 0xce, value: 0x80838f3811c00n }];
    expect(cpus).toEqual(twoCpus.map((cpu, index) => (index === 0 ? { ...cpu, msrs } : cpu)));
  });

  test("libcpuid: leaves beyond the highest repeat it, and are no leaves", () => {
    const { format, cpus } = readCpuSource(libcpuid(server), "a");
    expect(format).toBe("libcpuid");
    const told = server.filter((one) => one.subleaf === 0 || one.leaf === 4);
    expect(cpus[0]?.leaves.filter(({ eax, ebx, ecx, edx }) => (eax | ebx | ecx | edx) !== 0)).toEqual(
      told.filter(({ eax, ebx, ecx, edx }) => (eax | ebx | ecx | edx) !== 0),
    );
    expect(cpus[0]?.leaves.some(({ leaf }) => leaf === 0xe)).toBe(false);
  });

  test("libcpuid's test files: what stands below the dashes is not read", () => {
    const text = `${aida64(twoCpus, "colon")}\n${"-".repeat(80)}\nx86\n15\nfpu vme CPUID 00000000: what\n`;
    expect(readCpuSource(text, "a")).toMatchObject({ format: "libcpuid", cpus: twoCpus });
  });

  test("the words that QEMU names do not depend on the format", () => {
    const reports = [
      ...variants.map((variant) => aida64([cpuOfLeaves(server)], variant)),
      cpuidRaw([cpuOfLeaves(server, null)]),
    ].map((text) => reportOf(readCpuSource(text, "a")));
    for (const report of reports) {
      expect(report).toMatchObject({ vendor: "GenuineIntel", family: 6, model: 0x4f, stepping: 1 });
      expect(report.features).toEqual(reports[0]?.features);
    }
  });

  test("as Windows writes files, and as a serial console records them", () => {
    const text = aida64(twoCpus, "colon");
    const plain = readCpuSource(text, "a");
    expect(readCpuSource(`\ufeff${text.replaceAll("\n", "\r\n")}`, "a")).toEqual(plain);
    expect(readCpuSource(text.replaceAll("\n", "\r\r\n"), "a")).toEqual(plain);
  });
});

describe("AIDA64 and InstLatx64", () => {
  test("without headings a CPU begins where leaf 0 comes again", () => {
    const text = edited(aida64(twoCpus, "tab"), /^CPUID Registers.*$/gm, "");
    expect(readCpuSource(text, "a").cpus.map((one) => one.id)).toEqual([null, null]);
    expect(readCpuSource(text, "a").cpus[1]?.leaves).toEqual(twoCpus[1]?.leaves);
  });

  test("a heading that is given twice for two CPUs is a slip", () => {
    const text = edited(aida64(twoCpus, "tight"), "CPU#001", "CPU#000");
    expect(readCpuSource(text, "a").cpus).toHaveLength(2);
  });

  test("subleaves without numbers are counted; leaf 0xD skips what its bit map leaves out", () => {
    const bare = (leaves: readonly CpuidLeaf[]) =>
      aida64([cpuOfLeaves(leaves)], "colon").replace(/ \[SL .*$/gm, "");
    expect(readCpuSource(bare(server), "a").cpus[0]?.leaves).toEqual(server);
    // Old tools left out subleaf 1: what follows is the state of AVX, and XSAVEOPT is not known.
    const withoutFirst = server.filter(({ leaf, subleaf }) => leaf !== 0xd || subleaf !== 1);
    const source = readCpuSource(bare(withoutFirst), "a");
    expect(source.cpus[0]?.leaves).toEqual(withoutFirst);
    expect(reportOf(source).unknownFeatures).toContain("xsaveopt");
  });

  test("MSRs come with the logical CPU that they were read on", () => {
    const msrs = [
      { msr: 0xce, value: 0x80838f3811c00n },
      { msr: 0x10a, value: null },
    ];
    const text = aida64([{ ...cpuOfLeaves(server), msrs }, ...twoCpus.slice(1)], "colon");
    const source = readCpuSource(text, "a");
    expect(source.cpus.map((one) => one.msrs)).toEqual([msrs, []]);
    expect(reportOf(source).msrs).toEqual([
      { msr: "0x000000ce", value: "0x00080838f3811c00" },
      { msr: "0x0000010a", value: null },
    ]);
  });
});

describe("what is broken is said, with its line", () => {
  const text = aida64([cpuOfLeaves(server)], "colon");
  test.each([
    ["a leaf line without its last register", edited(text, "-49656E69", ""), /line 3: .*four registers/],
    ["a register of seven digits", edited(text, "-49656E69", "-4965E69"), /line 3: .*four registers/],
    [
      "a leaf number of nine digits",
      edited(text, "CPUID 00000001", "CPUID 000000010"),
      /line 4: a leaf and four/,
    ],
    [
      "a vendor that is no text",
      edited(text, "756E6547-6C65746E", "00000001-00000002"),
      /line 3: leaf 0 .* does not spell a vendor/,
    ],
    [
      "registers in the wrong order",
      edited(text, "0000000D-756E6547", "756E6547-0000000D"),
      /line 3: leaf 0 announces/,
    ],
    ["no leaf 1", edited(text, /^CPUID 00000001.*\n/m, ""), /leaf 1, .* was expected/],
    ["no leaf 0", edited(text, /^CPUID 00000000.*\n/m, ""), /leaf 0, .* was expected/],
    [
      "a leaf beyond the highest",
      edited(text, "CPUID 0000000D: 00000007", "CPUID 0000000E: 00000007"),
      /line 18: leaf 0x0000000e has content, but the CPU announces leaves up to 0x0000000d/,
    ],
    [
      "an extended leaf beyond the highest",
      edited(text, "80000000: 80000008", "80000000: 80000007"),
      /leaf 0x80000008 has content/,
    ],
    [
      "two answers to one question",
      edited(text, "CPUID 0000000C: 00000000", "CPUID 00000001: 12345678"),
      /line 17: leaf 0x00000001 is 0x12345678 .* at line 4/,
    ],
    ["no leaf at all", "------[ Logical CPU #0 ]------\n\nallcpu: Valid\n", /a CPUID leaf was expected/],
  ])("%s", (_, broken, message) => {
    expect(problemOf(broken)).toMatchObject({ code: "CPU_FILE_BROKEN" });
    expect(problemOf(broken).message).toMatch(message);
  });

  test("the same CPU told twice, in two sections, must say the same", () => {
    expect(readCpuSource(text + text, "a").cpus).toHaveLength(1);
    const lie = text + edited(text, "9C000400", "9C000401");
    expect(problemOf(lie).message).toMatch(/for the same logical CPU/);
  });

  test("cut anywhere in its first CPU: an error that names the line, or a note and unknown features", () => {
    const whole = reportOf(readCpuSource(text, "a"));
    const known = new Set(whole.features);
    let read = 0;
    for (let length = 0; length < text.length; length += 1) {
      const cut = text.slice(0, length);
      try {
        const report = reportOf(readCpuSource(cut, "a"));
        read += 1;
        // Nothing is made up, and nothing is denied that is there.
        for (const name of report.features) expect(known.has(name)).toBe(true);
        for (const name of known)
          expect(report.features.includes(name) || report.unknownFeatures.includes(name)).toBe(true);
        if (report.leaves.length < whole.leaves.length)
          expect(report.notes.join()).toMatch(/The dump is incomplete: it ends with leaf 0x8000000/);
      } catch (error) {
        expect(GodwitError.is(error)).toBe(true);
        expect((error as GodwitError).code).toMatch(/^CPU_FILE_(BROKEN|UNRECOGNISED)$/);
      }
    }
    expect(read).toBeGreaterThan(40);
  });

  test("cut in a later CPU: the first one still says what the machine is", () => {
    const both = aida64(twoCpus, "colon");
    const cut = both.slice(0, both.lastIndexOf("CPUID 0000000A"));
    const source = readCpuSource(cut, "a");
    expect(source.cpus).toEqual(twoCpus.slice(0, 1));
    expect(source.notes).toEqual(["The dump is cut short in logical CPU 1, which is left out."]);
  });

  test("cpuid -r and libcpuid: a line in its middle", () => {
    const raw = cpuidRaw([cpuOfLeaves(server, null)]);
    const message = problemOf(raw.slice(0, raw.indexOf("ebx=0x00100800"))).message;
    expect(message).toMatch(/\(raw dump of cpuid\) cannot be read at line 3: a leaf and four registers/);
    const fixed = libcpuid(server);
    expect(problemOf(fixed.slice(0, fixed.indexOf("\nbasic_cpuid[5]") - 3)).message).toMatch(
      /libcpuid dump\) cannot be read at line 5: four registers/,
    );
  });

  test("none of these formats", () => {
    expect(problemOf("")).toMatchObject({
      code: "CPU_FILE_UNRECOGNISED",
      message: expect.stringContaining("empty") as string,
    });
    expect(problemOf("hello\nworld\n")).toMatchObject({ code: "CPU_FILE_UNRECOGNISED" });
    expect(problemOf("\u0000\u0001\u001b[31mELF").message).toBe(
      'file.txt is no description of a CPU that Godwit knows: it begins with "···[31mELF".',
    );
    expect(problemOf("x".repeat(33 * 1024 * 1024))).toMatchObject({ code: "CPU_FILE_TOO_LARGE" });
  });
});

describe("the report of the utility", () => {
  const report = reportText(
    reportOf({ format: "cpuid-raw", label: "a", cpus: [cpuOfLeaves(server)], named: null, notes: [] }),
  );

  test("our own text keeps what it tells, and prints again as it was", () => {
    const again = reportOf(readCpuSource(report, "a"));
    expect(again).toMatchObject({
      format: "vmware-report",
      vendor: "GenuineIntel",
      family: 6,
      model: 0x4f,
      stepping: 1,
      brand: "Example(R) Server CPU @ 2.00GHz",
      leaves: [],
      registers: { id1ecx: "0x7ffefbff", id1edx: "0xbfebfbff", id81ecx: "0x00000121", id81edx: "0x2c100800" },
      hypervisor: null,
    });
    const block = (text: string) => text.slice(0, text.indexOf("Source: "));
    const modes = /^Supported EVC modes.*$/m;
    expect(block(reportText(again)).replace(modes, "")).toBe(block(report).replace(modes, ""));
    // Four registers do not decide what the others hold; the modes that were found do, as far as they go.
    expect(again.evcModes.at(-1)).toBe("intel-broadwell");
    expect(again.features).toContain("avx2");
    expect(again.unknownFeatures).toContain("hle");
  });

  test("several runs in one file: the last counts, and a difference is reported", () => {
    const earlier = edited(report, "0x2c100800", "0x2c000800");
    const { notes } = readCpuSource(`${report}\n${report}`, "a");
    expect(notes[0]).toBe("The file holds 2 runs; all tell the same.");
    const source = readCpuSource(`${earlier}\n${report}`, "a");
    expect(source.notes[0]).toMatch(
      /^The file holds 2 runs, and 1 of the earlier ones differ; this is the last, from line \d+\.$/,
    );
    expect(reportOf(source).nx).toBe(true);
  });

  test("a line that contradicts the registers is reported", () => {
    const lie = edited(report, "Supports RDTSCP   : Yes", "Supports RDTSCP   : No");
    const { notes, rdtscp } = reportOf(readCpuSource(lie, "a"));
    expect(rdtscp).toBe(true);
    expect(notes).toContain(
      'Line 13 says "Supports RDTSCP: No", but bit 27 of ID81EDX says otherwise; the register counts.',
    );
  });

  test.each([
    ["no registers", edited(report, /^0x.*\n/m, ""), /the line with the registers ID1ECX/],
    ["three registers", edited(report, " 0x2c100800", ""), /line 6: the four registers/],
    ["a register of nine digits", edited(report, "0x2c100800", "0x2c1008000"), /line 6: the four registers/],
    ["no family", edited(report, /^Family.*\n/m, ""), /Family, Model and Stepping/],
    [
      "a family that is no number",
      edited(report, "Family: 06", "Family: six"),
      /line 3: family, model and stepping/,
    ],
    ["no vendor", edited(report, /^Vendor.*\n/m, ""), /"Vendor : …" was expected/],
    ["only its first line", "Random_Init: Using random seed: 0x188fbd3f\n", /"Reporting CPUID for/],
  ])("%s", (_, broken, message) => {
    expect(problemOf(broken).message).toMatch(message);
  });
});

describe("libvirt's XML", () => {
  const capabilities = `<capabilities>
  <host>
    <cpu>
      <arch>x86_64</arch>
      <model>Broadwell-noTSX</model>
      <vendor>Intel</vendor>
      <signature family='6' model='79' stepping='1'/>
      <topology sockets='2' dies='1' cores='8' threads='2'/>
      <feature name='vmx'/>
      <feature name='pdpe1gb'/>
      <feature name='sse4_1'/>
      <feature name='no-such-feature'/>
    </cpu>
  </host>
  <guest><os_type>hvm</os_type></guest>
</capabilities>`;

  test("a host's capabilities: what is listed is known, and what the model stands for", () => {
    const report = reportOf(readCpuSource(capabilities, "caps.xml"));
    expect(report).toMatchObject({
      format: "libvirt-xml",
      vendor: "GenuineIntel",
      family: 6,
      model: 79,
      stepping: 1,
      logicalCpus: 32,
      hypervisor: null,
      longMode: true,
    });
    expect(report.features).toEqual(expect.arrayContaining(["avx2", "pdpe1gb", "sse4.1", "vmx"]));
    // Listed in every libvirt, and not here; known to later ones only.
    expect([...report.features, ...report.unknownFeatures]).not.toContain("3dnow");
    expect(report.unknownFeatures).toEqual(expect.arrayContaining(["avx512f", "cet-ss"]));
    expect(report.notes.join("\n")).toMatch(/does not know by name: no-such-feature/);
    expect(report.notes.join("\n")).not.toMatch(/Broadwell-noTSX stands for/);
  });

  test("a host of a model that Godwit does not know: only what is listed is known", () => {
    const report = reportOf(readCpuSource(edited(capabilities, "Broadwell-noTSX", "LakeOfNextYear"), "a"));
    expect(report.features).toEqual(["pdpe1gb", "sse4.1", "vmx"]);
    expect(report.unknownFeatures).toEqual(expect.arrayContaining(["avx2", "3dnow"]));
    expect(report.notes.join("\n")).toMatch(/does not know this model/);
    expect(reportText(report)).toMatch(/Longmode : Unknown\n[^]*Supported EVC modes : Unknown\n/);
  });

  test("what guests can get: the host-model, with what it requires and what it disables", () => {
    const text = `<?xml version="1.0"?>
<!-- virsh domcapabilities -->
<domainCapabilities>
  <domain>kvm</domain>
  <cpu>
    <mode name='host-passthrough' supported='yes'/>
    <mode name='host-model' supported='yes'>
      <model fallback='forbid'>EPYC-Milan</model>
      <vendor>AMD</vendor>
      <feature policy='require' name='x2apic'/>
      <feature policy='require' name='hypervisor'/>
      <feature policy='disable' name='svm'/>
    </mode>
    <mode name='custom' supported='yes'><model usable='yes'>486</model></mode>
  </cpu>
</domainCapabilities>`;
    const report = reportOf(readCpuSource(text, "a"));
    expect(report).toMatchObject({ vendor: "AuthenticAMD", hypervisor: "KVMKVMKVM", flexMigration: null });
    expect(report.features).toEqual(expect.arrayContaining(["hypervisor", "x2apic", "pku", "avx2"]));
    expect([...report.features, ...report.unknownFeatures]).not.toContain("svm");
    expect(report.notes.join("\n")).toMatch(/what a hypervisor \(KVMKVMKVM\) offers to guests/);
    expect(report.notes.join("\n")).not.toMatch(/were read inside a VM/);
  });

  test("a guest's <cpu>, alone or in its domain", () => {
    const cpu = `<cpu mode="custom" match="exact"><model>Westmere</model><feature policy="require" name="rdtscp"/><feature policy="optional" name="aes"/></cpu>`;
    for (const text of [cpu, `<domain type='kvm'><name>a</name>${cpu}</domain>`]) {
      const report = reportOf(readCpuSource(text, "a"));
      expect(report.features).toEqual(expect.arrayContaining(["rdtscp", "sse4.2"]));
      expect(report.unknownFeatures).toContain("aes");
    }
  });

  test("<cpudata> tells registers and MSRs", () => {
    const leaves = server.map(
      ({ leaf, subleaf, eax, ebx, ecx, edx }) =>
        `<cpuid eax_in='0x${leaf.toString(16)}' ecx_in='0x${subleaf.toString(16)}' eax='0x${eax.toString(16)}' ebx='0x${ebx.toString(16)}' ecx='0x${ecx.toString(16)}' edx='0x${edx.toString(16)}'/>`,
    );
    const text = `<cpudata arch='x86'>${leaves.join("\n")}<msr index='0xce' edx='0x80838' eax='0xf3811c00'/></cpudata>`;
    const [cpu] = readCpuSource(text, "a").cpus;
    expect(cpu?.leaves).toEqual(server);
    expect(cpu?.msrs).toEqual([{ msr: 0xce, value: 0x80838f3811c00n }]);
  });

  test.each([
    [
      "it ends early",
      capabilities.slice(0, capabilities.indexOf("</cpu>")),
      /line 13: well-formed XML was expected: unclosed tag: cpu/,
    ],
    [
      "a tag that does not end",
      capabilities.slice(0, capabilities.indexOf("<feature") + 10),
      /line 9: well-formed XML was expected/,
    ],
    [
      "tags that do not match",
      edited(capabilities, "</host>", "</hosts>"),
      /line 14: well-formed XML was expected: unexpected close tag/,
    ],
    ["text behind it", `${capabilities}x`, /text data outside of root node/],
    ["a document type", `<!DOCTYPE cpu [<!ENTITY a "b">]>${capabilities}`, /it has a document type/],
    ["an entity of its own", "<cpu><model>&a;</model></cpu>", /undefined entity/],
    [
      "a policy that there is none of",
      "<cpu><feature name='aes' policy='maybe'/></cpu>",
      /the policy force, require/,
    ],
    [
      "a feature both ways",
      "<cpu><feature name='aes'/><feature name='aes' policy='disable'/></cpu>",
      /both there and not there/,
    ],
    ["a comment without end", "<cpu><!-- ", /line 1: well-formed XML was expected/],
    ["an attribute without quotes", "<cpu mode=custom/>", /unquoted attribute value/],
    ["a register that is no number", "<cpudata><cpuid eax_in='zero'/></cpudata>", /eax='0x…' was expected/],
  ])("%s", (_, broken, message) => {
    expect(problemOf(broken)).toMatchObject({ code: "CPU_FILE_BROKEN" });
    expect(problemOf(broken).message).toMatch(message);
  });

  test.each([
    ["no CPU", "<domain><name>a</name></domain>", /at line 1 <domain> has no <cpu>/],
    ["a CPU that says nothing", "<cpu mode='host-passthrough'/>", /only says to take what the host has/],
    ["an empty CPU", "<cpu/>", /names neither a model nor a feature/],
    [
      "no host-model",
      "<domainCapabilities><cpu><mode name='host-model' supported='no'/></cpu></domainCapabilities>",
      /libvirt says that it has no host-model/,
    ],
  ])("%s: the file is whole, and another one is asked for", (_, text, message) => {
    expect(problemOf(text)).toMatchObject({ code: "CPU_FILE_WITHOUT_CPU" });
    expect(problemOf(text).message).toMatch(message);
  });
});

describe("/proc/cpuinfo", () => {
  const one = (id: number, flags = "fpu sse sse2 nx lm pni ssse3 sse4_1 lahf_lm hypervisor constant_tsc") =>
    `processor\t: ${String(id)}\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 79\nmodel name\t: Example CPU\nstepping\t: 1\nflags\t\t: ${flags}\nbugs\t\t:\n\n`;

  test("a flag is a feature; no flag is no answer", () => {
    const report = reportOf(readCpuSource(one(0) + one(1), "cpuinfo"));
    expect(report).toMatchObject({
      format: "proc-cpuinfo",
      family: 6,
      model: 79,
      stepping: 1,
      brand: "Example CPU",
      logicalCpus: 2,
      hypervisor: "unknown",
    });
    expect(report.features).toEqual([
      "fpu",
      "hypervisor",
      "lahf-lm",
      "lm",
      "nx",
      "pni",
      "sse",
      "sse2",
      "sse4.1",
      "ssse3",
    ]);
    expect(report.unknownFeatures).toContain("avx");
  });

  test("logical CPUs that differ count as what all of them have", () => {
    const report = reportOf(readCpuSource(one(0) + one(1, "fpu sse"), "a"));
    expect(report.coreDifferences).toMatchObject([{ cpus: [1], adds: [], signature: null }]);
    expect([...cpuOf(report).features]).toEqual(["fpu", "sse"]);
  });

  test("spaces for tabs, as terminals copy them", () => {
    const text = one(0).replaceAll("\t", "   ");
    expect(reportOf(readCpuSource(text, "a")).features).toEqual(
      reportOf(readCpuSource(one(0), "a")).features,
    );
  });

  test("Linux's own flags stand for other bits with AMD than with Intel", () => {
    const zen3 = reportOf(readCpuSource(fieldFile("amd-zen3.cpuinfo"), "a"));
    expect(zen3.features).toEqual(
      expect.arrayContaining(["amd-ssbd", "amd-stibp", "ibpb", "ibrs", "monitorx", "xcr0-master-ymm-h"]),
    );
    for (const name of ["ssbd", "stibp", "spec-ctrl"]) expect(zen3.features).not.toContain(name);
    expect(zen3.evcModes.at(-1)).toBe("amd-zen2");
    expect(zen3.notes.join()).toMatch(/It is not known whether it satisfies .*amd-zen3/);
    const cascadeLake = reportOf(readCpuSource(fieldFile("intel-cascadelake.cpuinfo"), "a"));
    expect(cascadeLake.features).toEqual(
      expect.arrayContaining(["spec-ctrl", "stibp", "ssbd", "avx512vnni", "xcr0-master-zmm-h"]),
    );
    for (const name of ["ibrs", "ibpb", "amd-ssbd", "vnmi"]) expect(cascadeLake.features).not.toContain(name);
    // Its flags leave out xsaves, which the mode and its predecessor have.
    expect(cascadeLake.evcModes.at(-1)).toBe("intel-broadwell");
    expect(cascadeLake.notes.join()).toMatch(/It is not known whether it satisfies .*intel-cascadelake/);
    const text = edited(fieldFile("intel-cascadelake.cpuinfo"), " xsavec ", " xsavec xsaves ");
    expect(reportOf(readCpuSource(text, "a")).evcModes.at(-1)).toBe("intel-cascadelake");
  });

  test.each([
    ["ARM", "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n"],
    ["POWER (POWER9, altivec supported)", "processor\t: 0\ncpu\t\t: POWER9, altivec supported\n"],
    ["s390x", "vendor_id       : IBM/S390\n# processors    : 4\n"],
  ])("another architecture is told as what it is: %s", (architecture, text) => {
    expect(problemOf(text)).toMatchObject({
      code: "CPU_NOT_X86",
      message: expect.stringContaining(`architecture ${architecture},`) as string,
    });
  });

  test("without flags it is no /proc/cpuinfo of x86", () => {
    expect(problemOf("processor\t: 0\nmodel\t: 1\n").message).toMatch(/"flags : …" of an x86 CPU/);
  });
});

describe("our own JSON", () => {
  const report = reportOf({
    format: "cpuid-device",
    label: "a",
    cpus: [{ ...cpuOfLeaves(server), msrs: [{ msr: 0xce, value: 1n << 31n }] }],
    named: null,
    notes: [],
  });
  const read = (change: object) => readCpuSource(JSON.stringify({ ...report, ...change }), "a");

  test("a report is read back as it was", () => {
    expect(reportOf(read({}))).toEqual({ ...report, format: "godwit-json" });
  });

  test("its leaves count: an older report gains what newer tables know", () => {
    const older = read({ features: report.features.filter((name) => name !== "aes") });
    expect(reportOf(older).features).toEqual(report.features);
  });

  test("a feature of a newer Godwit is kept", () => {
    expect(reportOf(read({ features: [...report.features, "zz-new"] })).features).toContain("zz-new");
  });

  test.each([
    [
      "a feature that its leaves deny",
      { features: ["avx512f"] },
      /lists the feature avx512f, but CPUID.7.0:EBX\[16\] is 0/,
    ],
    [
      "registers that its leaves deny",
      { registers: { ...report.registers, id1ecx: "0x00000001" } },
      /register id1ecx is 0x00000001/,
    ],
    ["a leaf twice", { leaves: [...report.leaves, ...report.leaves.slice(0, 1)] }, /given twice/],
    ["another version", { version: 2 }, /version: /],
    ["a leaf that is no leaf", { leaves: [{ leaf: "1" }] }, /leaves\.0\.leaf: must be 0x and eight/],
  ])("%s", (_, change, message) => {
    expect(() => read(change)).toThrow(message);
  });

  test("cut short, or another document", () => {
    expect(problemOf(JSON.stringify(report).slice(0, 500)).message).toMatch(/it is no whole JSON document/);
    expect(problemOf('{"name": "a"}').message).toMatch(/a report of godwit cpu report --json was expected/);
  });

  test("what it quotes of a broken file cannot move a terminal's cursor", () => {
    expect(problemOf("\u000b{").message).toMatch(/Unexpected token '·'/);
  });

  test("any CPU's report is read back as it was", () => {
    fc.assert(
      fc.property(fc.array(anyLeaves, { minLength: 1, maxLength: 2 }), (machines) => {
        const cpus = machines.map((leaves, id) => cpuOfLeaves(leaves, id));
        const first = reportOf({ format: "cpuid-raw", label: "a", cpus, named: null, notes: [] });
        expect(reportOf(readCpuSource(JSON.stringify(first), "a"))).toEqual({
          ...first,
          format: "godwit-json",
        });
      }),
      { numRuns: 60 },
    );
  });
});

test("a brand is text, without what pads it", () => {
  const leaves = server.map(
    (one) => brandLeaves("   Example(R) CPU  ").find(({ leaf }) => leaf === one.leaf) ?? one,
  );
  const source = readCpuSource(cpuidRaw([cpuOfLeaves(leaves)]), "a");
  expect(reportOf(source).brand).toBe("Example(R) CPU");
});
