/** `godwit cpu baseline` and `godwit cpu evc` with files, as people and scripts call them. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { baselineOf, cpuOf, evcModeNamed, reportOf, simulatedCpu } from "@godwit/cpu";
import { afterAll, beforeAll, expect, test } from "vitest";
import { baselineText, modeJson, modeText } from "../src/output/baseline-view.ts";

const main = fileURLToPath(new URL("../src/godwit.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "godwit-baseline-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Ended {
  status: number;
  stdout: string;
  stderr: string;
}

async function cpu(...args: string[]): Promise<Ended> {
  return await new Promise((resolve) => {
    const env = { PATH: process.env.PATH ?? "" };
    const child = execFile(
      process.execPath,
      [main, "cpu", ...args],
      { env, cwd: folder },
      (_, stdout, stderr) => {
        resolve({ status: child.exitCode ?? -1, stdout, stderr });
      },
    );
  });
}

/** A report of a CPU that is just a mode's. */
function report(name: string, mode: string): string {
  writeFileSync(join(folder, name), JSON.stringify(reportOf(simulatedCpu(evcModeNamed(mode)))));
  return name;
}
const [haswell, skylake, zen, bulldozer] = [
  report("haswell.json", "intel-haswell"),
  report("skylake.json", "intel-skylake"),
  report("zen.json", "amd-zen"),
  report("bulldozer.json", "amd-bulldozer"),
];

/** All at once: most of a run is loading the program. */
let whatIf: Ended, mixed: Ended, check: Ended;
beforeAll(async () => {
  [whatIf, mixed, check] = await Promise.all([
    cpu("baseline", haswell, skylake, "--without", haswell, "--json"),
    cpu("baseline", haswell, zen, "--json"),
    cpu("evc", "check", "--mode", "amd-bulldozer", bulldozer, zen, "--json"),
  ]);
});

test("two hosts are told their mode, QEMU's words for it, and what it costs each", () => {
  const cpus = ["intel-haswell", "intel-skylake"].map((key) =>
    cpuOf(reportOf(simulatedCpu(evcModeNamed(key))), key.replace("intel-", "")),
  );
  const text = baselineText(baselineOf(cpus), null);
  expect(text).toContain("EVC mode   intel-haswell@1 (L6)");
  expect(text).toContain("-cpu Haswell-v2,-xsaveopt,enforce");
  expect(text).toMatch(/skylake +GenuineIntel +intel-skylake +3dnowprefetch adx avx512bw/);
  expect(text).toContain("What intel-broadwell would need:\n  haswell\n");
});

test("without the older host the pool could be raised", () => {
  expect(whatIf.status).toBe(0);
  expect(JSON.parse(whatIf.stdout)).toMatchObject({
    evcMode: "intel-skylake",
    hosts: [{ label: "skylake.json", givesUp: [] }],
    whatIf: { change: "raised", before: { evcMode: "intel-haswell" }, vms: [] },
  });
});

test("hosts of two vendors have no baseline; the command ends with 3 and says so in one document", () => {
  expect(mixed.status).toBe(3);
  expect(mixed.stderr.trim()).toBe("");
  expect(JSON.parse(mixed.stdout)).toMatchObject({
    evcMode: null,
    qemuCpu: null,
    vendors: [
      { vendor: "AuthenticAMD", evcMode: "amd-zen" },
      { vendor: "GenuineIntel", evcMode: "intel-haswell" },
    ],
  });
});

test("a mode is shown with its features' places, and with what guests do not see of it", () => {
  const text = modeText(evcModeNamed("amd-zen3"));
  expect(text).toContain("amd-zen3@1 (B6)");
  expect(text).toMatch(/clzero +CLZERO +CPUID\.80000008:EBX\[0\]$/m);
  expect(text).toMatch(/cet-ss .*guests are not shown it$/m);
  expect(modeJson(evcModeNamed("intel-merom"))).toMatchObject({ qemuCpu: "Conroe-v1,+cx16,enforce" });
});

test("a Zen host does not satisfy Bulldozer's mode, and is told that it never had what is missing", () => {
  expect(check.status).toBe(3);
  const { cpus } = JSON.parse(check.stdout) as {
    cpus: { satisfiesMode: boolean; lacks: { missing: { feature: string; why: { kind: string } }[] }[] }[];
  };
  expect(cpus.map(({ satisfiesMode }) => satisfiesMode)).toEqual([true, false]);
  expect(cpus[1]?.lacks[0]?.missing.map(({ feature, why }) => [feature, why.kind])).toEqual([
    ["fma4", "generation"],
    ["xop", "generation"],
  ]);
});
