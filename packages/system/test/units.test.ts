/** Limits of systemd's units. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { describeWith } from "../../../test-kit/src/describe-with.ts";
import {
  cpuLimitProperties,
  cpusOfMax,
  leaseUnit,
  limitableCpus,
  limitProperties,
  outlivingProperties,
  problemOfLimits,
  unitOfVm,
  vmUnit,
} from "../src/index.ts";

test("a host says why its VMs have no limits", () => {
  const all = "cpuset cpu io memory hugetlb pids rdma misc\n";
  expect(problemOfLimits(true, all)).toBeNull();
  expect(problemOfLimits(false, all)).toBe("systemd does not run there");
  expect(problemOfLimits(true, null)).toMatch(/cgroup v2/);
  expect(problemOfLimits(true, "cpu memory_x pids\n")).toBe("cgroup v2 has no controller memory there");
  expect(problemOfLimits(true, "")).toBe("cgroup v2 has no controller memory and pids there");
});

test("a limit of CPUs is written in whole percents of one, and read from the kernel as CPUs", () => {
  expect(cpuLimitProperties(1.5)).toEqual(["CPUQuota=150%", "CPUQuotaPeriodSec=20ms"]);
  expect(cpuLimitProperties(0.001)).toEqual(["CPUQuota=1%", "CPUQuotaPeriodSec=20ms"]);
  expect(cpuLimitProperties(null)).toEqual(["CPUQuota=", "CPUQuotaPeriodSec="]);
  expect(limitableCpus(0.333)).toBe(0.33);
  expect(cpusOfMax("30000 20000\n")).toBe(1.5);
  expect(cpusOfMax("max 100000\n")).toBeNull();
  for (const other of ["", "max", "1 0", "-1 20000", "a 20000"])
    expect(() => cpusOfMax(other)).toThrow("cpu.max");
});

test("a VM's QEMU is in a unit of its own, or in that of its lease's holder, or in none", () => {
  for (const unit of [vmUnit("1"), leaseUnit("1")]) {
    const group = `/system.slice/${unit}`;
    expect(unitOfVm(`0::${group}\n`, "1")).toEqual({ unit, group });
    expect(() => unitOfVm(`0::${group}\n`, "2")).toThrow(`runs in no unit of its own (${group})`);
    expect(() => unitOfVm(`0::${group}/below\n`, "1")).toThrow("runs in no unit of its own");
  }
  expect(() => unitOfVm("12:cpu:/x\n", "1")).toThrow("without cgroup v2");
});

const hasSystemd = spawnSync("systemd-analyze", ["--version"]).status === 0;
describeWith("systemd-analyze", hasSystemd ? null : "systemd-analyze is not installed", () => {
  test("knows every property that units are started with", () => {
    const folder = mkdtempSync(join(tmpdir(), "godwit-unit-"));
    try {
      const words = (properties: readonly string[]) => {
        const path = join(folder, "godwit-probe.service");
        writeFileSync(path, ["[Service]", "Type=exec", "ExecStart=/bin/true", ...properties, ""].join("\n"));
        return spawnSync("systemd-analyze", ["verify", "--man=no", path], { encoding: "utf8" }).stderr;
      };
      const limits = limitProperties({ memoryMaxBytes: 5 * 2 ** 30, tasksMax: 516, cpus: 1.5 });
      expect(words([...limits, ...outlivingProperties])).toBe("");
      for (const cpus of [0.01, 1.5, 4096, null]) expect(words(cpuLimitProperties(cpus))).toBe("");
      expect(words(["CPUQuota=some"])).toMatch(/CPU quota/);
      expect(words(["TasksMax=many"])).toMatch(/TasksMax|maximum tasks/i);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
