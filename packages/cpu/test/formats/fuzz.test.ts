/**
 * No file can crash the readers or make them hang, and none makes them throw anything but an error of the
 * catalogue; and what was read can be reported, printed and read again.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { cpuReportSchema, GodwitError } from "@godwit/contract";
import { readCpuSource, reportOf, reportText } from "../../src/index.ts";
import { aida64, cpuidRaw, cpuOfLeaves, libcpuid, server } from "./dumps.ts";

const source = {
  format: "cpuid-raw" as const,
  label: "a",
  cpus: [cpuOfLeaves(server)],
  named: null,
  notes: [],
};
const valid: readonly string[] = [
  aida64([{ ...cpuOfLeaves(server), msrs: [{ msr: 0xce, value: 5n }] }, cpuOfLeaves(server, 1)], "colon"),
  aida64([cpuOfLeaves(server)], "tab"),
  cpuidRaw([cpuOfLeaves(server, null)]),
  libcpuid(server),
  reportText(reportOf(source)),
  `Random_Init: Using random seed: 0x1\n${reportText(reportOf(source)).replace(/Source[^]*/, "PASS: Test 1: CPUID\n")}`,
  JSON.stringify(reportOf(source)),
  "<capabilities><host><cpu><model>Westmere</model><vendor>Intel</vendor><signature family='6' model='44'/><feature name='aes' policy='require'/></cpu></host></capabilities>",
  "<cpudata arch='x86'><cpuid eax_in='0x0' eax='0x1' ebx='0x756e6547' ecx='0x6c65746e' edx='0x49656e69'/><cpuid eax_in='0x1' eax='0x0' ebx='0x0' ecx='0x0' edx='0x0'/></cpudata>",
  "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 44\nflags\t\t: fpu vme\n",
];

/** Reads it, and everything after that; the answer says how it ended. */
function outcome(text: string): string {
  const start = performance.now();
  try {
    const report = reportOf(readCpuSource(text, "fuzz"));
    expect(cpuReportSchema.safeParse(report).success).toBe(true);
    reportOf(readCpuSource(JSON.stringify(report), "fuzz"));
    readCpuSource(reportText(report), "fuzz");
    return "read";
  } catch (error) {
    if (!GodwitError.is(error)) throw error;
    expect(error.message).toMatch(/\.$/);
    // eslint-disable-next-line no-control-regex -- they are what must not reach a terminal
    expect(error.message).not.toMatch(/[\u0000-\u001f\u007f]/);
    return error.code;
  } finally {
    expect(performance.now() - start).toBeLessThan(20_000);
  }
}

const bytes = fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array).toString("latin1"));
const text = fc.oneof(bytes, fc.string({ unit: "binary", maxLength: 400 }));
const mutation = fc.record({
  of: fc.constantFrom(...valid),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  remove: fc.integer({ min: 0, max: 60 }),
  insert: fc.oneof(
    text,
    fc.constantFrom(...valid),
    fc.constantFrom("0", "f", "\n", "-", " ", "<", ">", '"', "}", "Unknown"),
  ),
});
const apply = ({ of, at, remove, insert }: { of: string; at: number; remove: number; insert: string }) => {
  const position = Math.floor(at * of.length);
  return of.slice(0, position) + insert + of.slice(position + remove);
};

test("random text", () => {
  fc.assert(
    fc.property(text, (random) => outcome(random) !== ""),
    { numRuns: 800 },
  );
});

test("valid files with a piece cut out, put in or exchanged", () => {
  const outcomes = new Set<string>();
  fc.assert(
    fc.property(mutation, (one) => {
      outcomes.add(outcome(apply(one)));
    }),
    { numRuns: 800 },
  );
  expect([...outcomes]).toEqual(expect.arrayContaining(["read", "CPU_FILE_BROKEN"]));
});

test("valid files cut at any place", () => {
  fc.assert(
    fc.property(fc.constantFrom(...valid), fc.double({ min: 0, max: 1, noNaN: true }), (whole, at) => {
      outcome(whole.slice(0, Math.floor(at * whole.length)));
    }),
    { numRuns: 400 },
  );
});

test("lines of one format among those of another", () => {
  const lines = valid.flatMap((one) => one.split("\n"));
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...lines), { maxLength: 60 }), (mixed) => {
      outcome(mixed.join("\n"));
    }),
    { numRuns: 400 },
  );
});

test.each([
  ["one line of spaces", " ".repeat(2_000_000)],
  ["one line of dashes", "-".repeat(2_000_000)],
  ["a leaf with a long tail", `CPUID 00000000: ${"0".repeat(2_000_000)}`],
  ["a leaf and spaces", `CPUID ${" ".repeat(2_000_000)}`],
  ["a colon far away", `processor${"\t".repeat(1_000_000)}x\n${"a ".repeat(1_000_000)}`],
  ["headings and nothing else", "------[ Logical CPU #1 ]------\n".repeat(200_000)],
  ["carriage returns", `CPUID 00000000${"\r".repeat(2_000_000)}x`],
  ["tags that open", "<a>".repeat(200_000)],
  ["tags on one line", `<a>${"<b/>".repeat(300_000)}</a>`],
  ["attributes without end", `<cpu ${"a='1' ".repeat(300_000)}>`],
  ["quotes without end", `<cpu a='${"<".repeat(1_000_000)}`],
  ["deep JSON", `{"leaves": ${"[".repeat(500_000)}`],
  ["registers without end", "0x12345678 0x12345678 0x12345678 0x12345678\n".repeat(100_000)],
  ["runs without end", "Reporting CPUID for 1 logical CPU...\n".repeat(100_000)],
  [
    "leaves without end",
    Array.from(
      { length: 100_000 },
      (_, leaf) =>
        `   0x${leaf.toString(16).padStart(8, "0")} 0x00: eax=0x00000000 ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69`,
    ).join("\n"),
  ],
  ["CPUs without end", "CPUID 00000000: 00000000-756E6547-6C65746E-49656E69\n".repeat(100_000)],
])("%s", (_, hostile) => {
  expect(outcome(hostile)).toMatch(/^(read|CPU_FILE_\w+)$/);
});
