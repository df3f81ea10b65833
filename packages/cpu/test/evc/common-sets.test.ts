/** Godwit's own sets for CPUs beyond VMware's modes: what satisfies them, and that nobody edits what was published. */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import {
  baselineOf,
  commonSets,
  compareCpus,
  evcModeNamed,
  evcModes,
  hostAdmission,
  isCommonSet,
  modeId,
  satisfiedModes,
  satisfiedSets,
  type EvcMode,
} from "../../src/index.ts";
import { commonSetRevisions } from "../../src/evc-modes/common-sets.ts";
import { cpuIn, dumpNamed } from "../collection.ts";
import { cpuWith, less } from "./cpus.ts";

const published: Readonly<Record<string, string>> = {
  "common-intel-graniterapids@1": "bdf8c40db4d8",
  "common-intel-skylake-client@1": "e0e8335a1896",
  "common-intel-icelake-client@1": "288c10a57b32",
  "common-intel-alderlake-client@1": "8d82ba9a54d5",
  "common-intel-arrowlake-client@1": "e004a59b17f3",
  "common-amd-zen5@1": "08e8898783ae",
  "common-amd-zen5-client@1": "4be44f0ae975",
  "common-hygon-dhyana-no-aes@1": "966ee5577aa4",
  "common-hygon-dhyana@1": "3f8716b95e23",
  "common-zhaoxin-zx@1": "8600d32f5f7a",
  "common-zhaoxin-yongfeng@1": "7c180f377c7f",
};

const digest = ({ vendor, features, hidden, cpu }: EvcMode): string =>
  createHash("sha256").update(JSON.stringify({ vendor, features, hidden, cpu })).digest("hex").slice(0, 12);

test("a published definition is never edited", () => {
  expect(Object.fromEntries(commonSetRevisions.map((set) => [modeId(set), digest(set)]))).toEqual(published);
});

test("none is taken for an EVC mode", () => {
  expect(commonSets.every(isCommonSet)).toBe(true);
  expect(evcModes.some(isCommonSet)).toBe(false);
  for (const set of commonSets) {
    const cpu = cpuWith(set.key);
    expect(satisfiedModes(cpu).some(isCommonSet), set.key).toBe(false);
    expect(
      satisfiedSets(cpu).map(({ key }) => key),
      set.key,
    ).toContain(set.key);
  }
});

test.each([
  ["HygonGenuine0900F02_Hygon_CPUID", "common-hygon-dhyana-no-aes", null],
  ["12th-gen-intel-core-i9-12900hk", "common-intel-alderlake-client", "intel-broadwell"],
  ["GenuineIntel0050654_SkylakeXeon_CPUID", null, "intel-skylake"],
  ["GenuineIntel00806F8_SapphireRapids_05_CPUID", null, "intel-sapphirerapids"],
])("%s: its common set beyond the modes is %s", (name, set, mode) => {
  const cpu = cpuIn(dumpNamed(name));
  const baseline = baselineOf([cpu]);
  expect(baseline.commonSet?.key ?? null).toBe(set);
  expect(baseline.mode?.key ?? null).toBe(mode);
});

test("two of a vendor without modes have a baseline, by which VMs move both ways", () => {
  const hygon = cpuWith("common-hygon-dhyana");
  const { mode, commonSet, cpuString, why } = baselineOf([hygon, less(hygon, "aes")]);
  expect({ mode, set: commonSet?.key }).toEqual({ mode: null, set: "common-hygon-dhyana-no-aes" });
  expect(why).toBe("There are no EVC modes for CPUs of the vendor HygonGenuine.");
  expect(cpuString).toMatch(/^Dhyana-v1,\+clzero,-.*,enforce$/);
  expect(compareCpus(hygon, { ...less(hygon, "aes"), label: "b" }).baseline).toMatchObject({
    evcMode: null,
    commonSet: "common-hygon-dhyana-no-aes",
  });
});

test("a pool's host is judged by a set as by a mode, in words that do not call it EVC", () => {
  const pool = { name: "east", mode: "common-intel-graniterapids@1", microcode: [], empty: true };
  const cpu = cpuWith("intel-sapphirerapids", { label: "b", family: 6, model: 0xad });
  const host = { name: "b", connected: true, agentVersion: "1", qemu: null, cpu };
  const { findings } = hostAdmission({ pool, host, running: [], inPool: [] });
  const [first] = findings;
  expect(first?.code).toBe("EVC_HOST_FEATURES_MISSING");
  expect(first?.message).toContain(
    "Host b cannot be in pool east, which has the common CPU set common-intel-graniterapids@1: it lacks",
  );
  expect(findings.map(({ message }) => message).join()).not.toContain("EVC mode");
});

test("a set is found by its key, with or without its revision", () => {
  expect(evcModeNamed("common-amd-zen5")).toBe(evcModeNamed("common-amd-zen5@1"));
});
