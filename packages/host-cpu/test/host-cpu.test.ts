/** The machine's own CPU: what is asked of CPUID, and what happens where the kernel's device does not answer. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { describeWith } from "../../../test-kit/src/describe-with.ts";
import type { QemuFacts } from "@godwit/contract";
import { reportOf, type CpuidLeaf } from "@godwit/cpu";
import { enumerateLeaves } from "../src/enumerate.ts";
import { readHostCpu } from "../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "godwit-host-cpu-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A CPU that answers what is listed, and zeros else; it keeps what it was asked. */
function cpu(answers: Record<string, Partial<CpuidLeaf>>) {
  const asked: string[] = [];
  const ask = async (leaf: number, subleaf: number): Promise<CpuidLeaf> => {
    const key = `${leaf.toString(16)}.${String(subleaf)}`;
    asked.push(key);
    return { eax: 0, ebx: 0, ecx: 0, edx: 0, ...answers[key], leaf, subleaf };
  };
  return { ask, asked };
}

const keysOf = (leaves: readonly CpuidLeaf[]) =>
  leaves.map(({ leaf, subleaf }) => `${leaf.toString(16)}.${String(subleaf)}`);

describe("what CPUID is asked", () => {
  test("every leaf of each range, and the subleaves that there are", async () => {
    const { ask } = cpu({
      "0.0": { eax: 0x20 },
      "4.0": { eax: 0x121 },
      "4.1": { eax: 0x122 },
      "4.2": { eax: 0x143 },
      "7.0": { eax: 2 },
      "b.0": { ecx: 0x100 },
      "b.1": { ecx: 0x201 },
      "b.2": { ecx: 2 },
      "d.0": { eax: 0xe7, edx: 1 << 30 },
      "d.1": { eax: 0xf, ecx: 1 << 11 },
      "f.0": { edx: 2 },
      "10.0": { ebx: 0b1100 },
      "12.2": { eax: 1 },
      "14.0": { eax: 1 },
      "1f.0": { ecx: 0x100 },
      "80000000.0": { eax: 0x80000026 },
      "8000001d.0": { eax: 0x121 },
      "8000001d.1": { eax: 0x143 },
      "80000020.0": { ebx: 0b10 },
      "80000026.0": { ecx: 0x100 },
    });
    const keys = new Set(keysOf(await enumerateLeaves(ask)));
    for (let leaf = 0; leaf <= 0x20; leaf += 1) expect(keys).toContain(`${leaf.toString(16)}.0`);
    for (let leaf = 0x80000000; leaf <= 0x80000026; leaf += 1)
      expect(keys).toContain(`${leaf.toString(16)}.0`);
    expect([...keys].filter((key) => !key.endsWith(".0"))).toEqual([
      ...["4.1", "4.2", "7.1", "7.2", "b.1", "d.1", "d.2", "d.5", "d.6", "d.7", "d.11", "d.62", "f.1"],
      ...["10.2", "10.3", "12.1", "12.2", "14.1", "8000001d.1", "80000020.1"],
    ]);
  });

  test("a hypervisor's leaves, where a hypervisor shows itself", async () => {
    const shown = { "0.0": { eax: 1 }, "80000000.0": { eax: 0x80000001 } };
    const range = { "40000000.0": { eax: 0x40000002, ebx: 1 }, "40000100.0": { eax: 0, ebx: 1 } };
    const native = await enumerateLeaves(cpu({ ...shown, ...range }).ask);
    expect(keysOf(native).filter((key) => key.startsWith("4"))).toEqual([]);
    const virtual = await enumerateLeaves(cpu({ ...shown, ...range, "1.0": { ecx: 0x80000000 } }).ask);
    expect(keysOf(virtual).filter((key) => key.startsWith("4"))).toEqual([
      ...["40000000.0", "40000001.0", "40000002.0"],
      ...["40000100.0", "40000101.0"],
    ]);
  });

  test("a CPU without extended leaves, and one that never says that it has no more", async () => {
    const old = await enumerateLeaves(cpu({ "0.0": { eax: 1 }, "80000000.0": { eax: 0x03020101 } }).ask);
    expect(keysOf(old)).toEqual(["0.0", "1.0", "80000000.0"]);
    const always = { eax: 0xffffffff, ebx: 0xffffffff, ecx: 0xffffffff, edx: 0xffffffff };
    let questions = 0;
    const leaves = await enumerateLeaves(async (leaf, subleaf) => {
      questions += 1;
      return { leaf, subleaf, ...always };
    });
    expect(questions).toBeLessThan(4000);
    expect(leaves.length).toBeGreaterThan(500);
  });
});

describe("without the kernel's device", () => {
  const cpuinfo = join(folder, "cpuinfo");
  writeFileSync(
    cpuinfo,
    "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: Example\nstepping\t: 1\nflags\t\t: fpu sse sse2 lm nx\n",
  );
  const deviceFolder = join(folder, "none");
  const qemu: QemuFacts = {
    binary: "qemu",
    version: "7.2.22",
    accelerator: "kvm",
    acceleratorReason: "it works",
    machines: [],
    cpuModels: [],
    availableFeatures: ["lm", "nx", "sse2", "svm"],
  };

  test("QEMU tells what guests can get: what it has no name for is not known", async () => {
    const report = reportOf(
      await readHostCpu({ machine: "host a", deviceFolder, cpuinfo, qemu: async () => qemu }),
    );
    expect(report).toMatchObject({
      format: "qemu",
      source: "QEMU 7.2.22 (kvm) on host a",
      vendor: "AuthenticAMD",
      family: 25,
      brand: "Example",
      features: ["lm", "nx", "sse2", "svm"],
      longMode: true,
      cmpxchg16b: false,
      hypervisor: "KVMKVMKVM",
      flexMigration: null,
      leaves: [],
    });
    // QEMU learnt its name in 8.1, or has none.
    expect(report.unknownFeatures).toEqual(expect.arrayContaining(["upper-address-ignore", "svm-gmet"]));
    expect(report.unknownFeatures).not.toContain("avx2");
    expect(report.notes[0]).toBe(`${deviceFolder}/N/cpuid is not there.`);
    expect(report.notes.join("\n")).toMatch(/The hardware may have more/);
  });

  test("else /proc/cpuinfo, and the reason why", async () => {
    const report = reportOf(await readHostCpu({ deviceFolder, cpuinfo, qemu: async () => null }));
    expect(report).toMatchObject({
      format: "proc-cpuinfo",
      source: "/proc/cpuinfo of this machine",
      nx: true,
    });
    expect(report.cmpxchg16b).toBeNull();
    expect(report.notes[0]).toMatch(/N\/cpuid is not there/);
  });

  test("a device that may not be read, or is none, is reported; nothing at all is an error", async () => {
    mkdirSync(join(folder, "odd/0/cpuid"), { recursive: true });
    const source = await readHostCpu({ deviceFolder: join(folder, "odd"), cpuinfo });
    expect(source.notes[0]).toMatch(/odd\/0\/cpuid could not be read \(EISDIR\)/);
    await expect(readHostCpu({ deviceFolder, cpuinfo: join(folder, "nothing") })).rejects.toMatchObject({
      code: "CPU_UNREADABLE",
    });
  });
});

const missing = !existsSync("/dev/cpu/0/cpuid")
  ? "/dev/cpu/0/cpuid is not there"
  : process.getuid?.() === 0
    ? null
    : "only root may read /dev/cpu/0/cpuid";

describeWith("this machine's device", missing, () => {
  test("tells all leaves of every logical CPU", async () => {
    const source = await readHostCpu();
    expect(source.format).toBe("cpuid-device");
    const online = spawnSync("nproc", ["--all"], { encoding: "utf8" }).stdout.trim();
    expect(source.cpus).toHaveLength(Number(online));
    const report = reportOf(source);
    expect(report.vendor).not.toBe("unknown");
    expect(report.unknownFeatures).toEqual([]);
    const highest = Number(report.leaves[0]?.eax);
    expect(
      report.leaves.filter(({ leaf, subleaf }) => Number(leaf) <= highest && Number(subleaf) === 0),
    ).toHaveLength(highest + 1);
  });
});
