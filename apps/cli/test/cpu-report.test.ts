/** `godwit cpu report` as people call it. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cpuReportSchema } from "@godwit/contract";
import { reportText } from "@godwit/cpu";
import { afterAll, describe, expect, test } from "vitest";
import { cpuArgument, cpuOfFile } from "../src/cpu/argument.ts";

const main = fileURLToPath(new URL("../src/godwit.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "godwit-report-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function report(args: readonly string[], input?: string) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, "cpu", "report", ...args], {
    encoding: "utf8",
    ...(input === undefined ? {} : { input }),
  });
  expect(stdout + stderr).not.toMatch(/^\s+at /m);
  return { status, stdout, stderr };
}

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const penryn = `CPU:
   0x00000000 0x00: eax=0x0000000d ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69
   0x00000001 0x00: eax=0x0001067a ebx=0x00040800 ecx=0x040ce3bd edx=0xbfebfbff
   0x80000000 0x00: eax=0x80000008 ebx=0x00000000 ecx=0x00000000 edx=0x00000000
   0x80000001 0x00: eax=0x00000000 ebx=0x00000000 ecx=0x00000001 edx=0x20100800
`;

const utility = `Random_Init: Using random seed: 0x1234abcd
Reporting CPUID for 1 logical CPU...

Family: 06 Model: 17 Stepping: a

ID1ECX    ID1EDX    ID81ECX    ID81EDX
0x840ce3b5 0xbfebfbff 0x00000001 0x20100000

Vendor           : Intel
Brand String      : "Example"
SSE Support       : SSE1, SSE2, SSE3, SSSE3, SSE4.1
Supports NX / XD  : Yes
Supports CMPXCHG16B : Yes
Supports RDTSCP   : No
Hyperthreading    : Yes
Supports Flex Migration : No
Supports 64-bit Longmode : Yes
Supports 64-bit VMware : Yes
Supported EVC modes : None

PASS: Test 7: CPUID
Press any key to reboot.
`;

describe("godwit cpu report", () => {
  test("of a file: text on standard output, found by what is in it", () => {
    const { status, stdout } = report([file("misleading.json", penryn)]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Family: 06 Model: 17 Stepping: a$/m);
    expect(stdout).toMatch(/^Supported EVC modes : intel-merom, intel-penryn$/m);
    expect(stdout).toMatch(/^Source: .*misleading\.json$/m);
  });

  test("of standard input: one JSON document, which is read again", async () => {
    const { status, stdout, stderr } = report(["--file", "-", "--json"], penryn);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const first = cpuReportSchema.parse(JSON.parse(stdout));
    expect(first).toMatchObject({ source: "standard input", format: "cpuid-raw", family: 6, model: 0x17 });
    const path = file("report.txt", stdout);
    const again = { ...first, source: path, format: "godwit-json" };
    await expect(cpuOfFile(path)).resolves.toEqual({ label: path, report: again });
  });

  test("of the utility's own report: the same text, and what is to be said beside it", () => {
    const { status, stdout, stderr } = report(["--file", file("utility.txt", utility)]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: utility });
    expect(stderr).toMatch(/^Note: These are the CPUID registers of a virtual CPU/m);
  });

  test("of this machine: says what was read", () => {
    const { status, stdout } = report(["--json"]);
    expect(status).toBe(0);
    const parsed = cpuReportSchema.parse(JSON.parse(stdout));
    expect(parsed.source).toMatch(/this machine$/);
    expect(parsed.features).toContain("sse2");
  });

  test("of what is no CPU: one sentence, and code 1", () => {
    expect(report(["--file", main])).toMatchObject({
      status: 1,
      stdout: "",
      stderr: expect.stringMatching(/is no description of a CPU that Godwit knows: it begins with/) as string,
    });
  });

  test("of a file and a host at once: wrong usage", () => {
    expect(report(["--file", "a", "--host", "b"])).toMatchObject({ status: 2, stdout: "" });
  });
});

describe("a CPU as an argument", () => {
  test("is a file where there is one, and is called by its path", async () => {
    const path = file("host-a", penryn);
    await expect(cpuArgument(path)).resolves.toMatchObject({ label: path, report: { model: 0x17 } });
  });

  test("may be a file in UTF-16, as Windows' tools write it", async () => {
    const utf16 = Buffer.from(`\ufeff${utility.replaceAll("\n", "\r\n")}`, "utf16le");
    const { report: read } = await cpuArgument(file("utf16.txt", utf16));
    expect(reportText(read)).toBe(utility);
  });

  test("what can be no host's name is a file that is not there", async () => {
    await expect(cpuArgument("./dumps/a.txt")).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
    await expect(cpuArgument(folder)).rejects.toThrow(/cannot be read: it is a folder/);
  });

  test("a file that never ends is not read for ever", async () => {
    await expect(cpuArgument("/dev/zero")).rejects.toMatchObject({ code: "CPU_FILE_TOO_LARGE" });
  });
});
