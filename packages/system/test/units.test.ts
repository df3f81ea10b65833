/** Limits of systemd's units. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { describeWith } from "../../../test-kit/src/describe-with.ts";
import { limitProperties, outlivingProperties, problemOfLimits } from "../src/index.ts";

test("a host says why its VMs have no limits", () => {
  const all = "cpuset cpu io memory hugetlb pids rdma misc\n";
  expect(problemOfLimits(true, all)).toBeNull();
  expect(problemOfLimits(false, all)).toBe("systemd does not run there");
  expect(problemOfLimits(true, null)).toMatch(/cgroup v2/);
  expect(problemOfLimits(true, "cpu memory_x pids\n")).toBe("cgroup v2 has no controller memory there");
  expect(problemOfLimits(true, "")).toBe("cgroup v2 has no controller memory and pids there");
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
      const limits = limitProperties({ memoryMaxBytes: 5 * 2 ** 30, tasksMax: 516 });
      expect(words([...limits, ...outlivingProperties])).toBe("");
      expect(words(["TasksMax=many"])).toMatch(/TasksMax|maximum tasks/i);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
