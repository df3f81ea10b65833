/** `godwit cpu compare` with files, as people and scripts call it. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CpuComparison } from "@godwit/cpu";
import { afterAll, beforeAll, expect, test } from "vitest";

const main = fileURLToPath(new URL("../src/godwit.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "godwit-compare-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Ended {
  status: number;
  stdout: string;
  stderr: string;
}

async function compare(...args: string[]): Promise<Ended> {
  return await new Promise((resolve) => {
    const env = { PATH: process.env.PATH ?? "" };
    const child = execFile(
      process.execPath,
      [main, "cpu", "compare", ...args],
      { env },
      (_, stdout, stderr) => {
        resolve({ status: child.exitCode ?? -1, stdout, stderr });
      },
    );
  });
}

/** A Penryn's registers as `cpuid -1 -r` prints them; NX is bit 20 of the last leaf's EDX. */
function report(name: string, id1ecx: string, id81edx: string): string {
  const file = join(folder, name);
  const empty = "eax=0x00000000 ebx=0x00000000 ecx=0x00000000 edx=0x00000000";
  writeFileSync(
    file,
    `CPU:
   0x00000000 0x00: eax=0x0000000a ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69
   0x00000001 0x00: eax=0x00010676 ebx=0x00040800 ecx=${id1ecx} edx=0xbfebfbff
   0x00000006 0x00: ${empty}
   0x00000007 0x00: ${empty}
   0x0000000a 0x00: ${empty}
   0x80000000 0x00: eax=0x80000008 ebx=0x00000000 ecx=0x00000000 edx=0x00000000
   0x80000001 0x00: eax=0x00000000 ebx=0x00000000 ecx=0x00000001 edx=${id81edx}
   0x80000007 0x00: ${empty}
   0x80000008 0x00: ${empty}
`,
  );
  return file;
}
const early = report("early.txt", "0x000ce3bd", "0x20100000");
const late = report("late.txt", "0x040ce3bd", "0x20100000");
const nxOff = report("nx-off.txt", "0x000ce3bd", "0x20000000");

/** All at once: most of a run is loading the program. */
let alike: Ended, differing: Ended, json: Ended;
beforeAll(async () => {
  [alike, differing, json] = await Promise.all([
    compare(early, early),
    compare(early, late),
    compare(early, nxOff, "--json"),
  ]);
});

test("two that are alike: both ways, exit 0", () => {
  expect(alike.status).toBe(0);
  expect(alike.stdout).toMatch(/^A is .*early\.txt\nB is .*early\.txt\nA → B: a VM may move\.$/m);
});

test("two that differ: the verdicts first, then each bit, then what to do; exit 3", () => {
  const { status, stdout } = differing;
  expect(status).toBe(3);
  const [, , first = "", ...rest] = stdout.split("\n");
  expect(stdout).toMatch(/^A is .*early\.txt\nB is .*late\.txt\n/);
  expect(first).toBe("A → B: a VM may not move.");
  const text = rest.join("\n");
  expect(text).toMatch(/xsave +XSAVE +CPUID\.1:ECX\[26\] +user +no +yes +refuses both ways/);
  expect(text).toContain("-cpu Penryn-v1,enforce");
  expect(stdout + differing.stderr).not.toMatch(/^\s+at /m);
  expect(text.indexOf("What differs")).toBeLessThan(text.indexOf("What to do"));
});

test("--json is one document with the same answer", () => {
  expect(json.status).toBe(3);
  expect(json.stderr.trim()).toBe("");
  expect(JSON.parse(json.stdout) as CpuComparison).toMatchObject({
    compatible: false,
    aToB: { verdict: "may-not" },
    bToA: { verdict: "may", reasons: [] },
    differences: [
      { feature: "nx", level: "kernel", leaf: 0x80000001, register: "edx", bit: 20, a: true, b: false },
    ],
    baseline: null,
  });
});
