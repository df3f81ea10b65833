/** The table of EVC modes: what VMware says it is, and that nobody edits what was published. */
import { createHash } from "node:crypto";
import { GodwitError } from "@godwit/contract";
import { expect, test } from "vitest";
import {
  evcModeNamed,
  evcModes,
  evcRevisions,
  featureNamed,
  modeId,
  satisfiedModes,
  vmwareFeature,
  type EvcMode,
} from "../../src/index.ts";
import { collectedModes } from "../collected-modes.ts";
import { cpuWith, plainCpu } from "./cpus.ts";

/** What VMs run with: a definition's features, and what QEMU is given. Its label may get better. */
const published: Readonly<Record<string, string>> = {
  "intel-merom@1": "953866aba011",
  "intel-penryn@1": "a66c26541331",
  "intel-nehalem@1": "ed3a9a061292",
  "intel-westmere@1": "50383ad757e6",
  "intel-sandybridge@1": "b8e559143e45",
  "intel-ivybridge@1": "73f714def9a8",
  "intel-haswell@1": "4298bd9cb388",
  "intel-broadwell@1": "3b138c0a70eb",
  "intel-skylake@1": "3b395814c421",
  "intel-cascadelake@1": "01bb9ac531d8",
  "intel-icelake@1": "42738932b83b",
  "intel-sapphirerapids@1": "5753d122e511",
  "amd-rev-e@1": "13b5d114c849",
  "amd-rev-f@1": "0e2347b0659d",
  "amd-greyhound-no3dnow@1": "9c60d0b06f8f",
  "amd-greyhound@1": "aece13cb4c59",
  "amd-bulldozer@1": "1cfce25ffdb0",
  "amd-piledriver@1": "682b3f6327ff",
  "amd-steamroller@1": "78e1f5d9af55",
  "amd-zen@1": "a8c475bb2276",
  "amd-zen2@1": "c1dac6c0fec1",
  "amd-zen3@1": "357d1af9f4a8",
  "amd-zen4@1": "d2b0b681b606",
};

const digest = ({ vendor, features, hidden, cpu }: EvcMode): string =>
  createHash("sha256").update(JSON.stringify({ vendor, features, hidden, cpu })).digest("hex").slice(0, 12);

test("a published definition is never edited: a correction is a new revision, with a line of its own here", () => {
  expect(Object.fromEntries(evcRevisions.map((mode) => [modeId(mode), digest(mode)]))).toEqual(published);
});

test("the features of the modes are in the feature table", () => {
  for (const { key, features } of evcModes)
    for (const feature of features) expect(featureNamed(feature)?.name, `${key} ${feature}`).toBe(feature);
});

test("a key gives the newest revision, a key with a revision that one", () => {
  const [first] = evcModes;
  expect(evcModeNamed("intel-merom")).toBe(first);
  expect(evcModeNamed("Intel-Merom@1")).toBe(first);
});

test("an unknown mode is answered with those that are spelt alike", () => {
  const asked = (name: string) => {
    try {
      evcModeNamed(name);
    } catch (error) {
      if (GodwitError.is(error)) return [error.code, error.problem.details["near"]];
    }
    return null;
  };
  expect(asked("intel-sandy-brige")).toEqual([
    "EVC_MODE_UNKNOWN",
    expect.arrayContaining(["intel-sandybridge"]),
  ]);
  expect(asked("zen5")).toEqual(["EVC_MODE_UNKNOWN", expect.arrayContaining(["amd-zen"])]);
  expect(asked("intel-merom@2")).toEqual(["EVC_MODE_UNKNOWN", expect.arrayContaining(["intel-merom"])]);
  expect(asked("")).toEqual(["EVC_MODE_UNKNOWN", expect.anything()]);
});

test("AMD's modes are no ladder: Zen satisfies B0 and B4, and none of B1 to B3", () => {
  const keys = satisfiedModes(cpuWith("amd-zen")).map(({ key }) => key);
  expect(keys).toEqual(["amd-greyhound-no3dnow", "amd-zen"]);
  expect(satisfiedModes(cpuWith("amd-steamroller")).map(({ key }) => key)).toEqual([
    "amd-greyhound-no3dnow",
    "amd-bulldozer",
    "amd-piledriver",
    "amd-steamroller",
  ]);
  expect(satisfiedModes(cpuWith("amd-greyhound")).map(({ level }) => level)).toEqual([
    "A0",
    "A1",
    "A2/B0",
    "A3",
  ]);
});

test("Intel's modes are a ladder", () => {
  const intel = evcModes.filter(({ vendor }) => vendor === "intel");
  for (const [index, { key }] of intel.entries())
    expect(satisfiedModes(cpuWith(key))).toEqual(intel.slice(0, index + 1));
});

test("a feature that is not known is not had, and another vendor's modes are never satisfied", () => {
  const westmere = cpuWith("intel-westmere");
  const features = new Set([...westmere.features].filter((feature) => feature !== "nx"));
  expect(satisfiedModes({ ...westmere, features, unknown: new Set(["nx"]) })).toEqual([]);
  expect(satisfiedModes({ ...westmere, vendor: "AuthenticAMD" })).toEqual([]);
  expect(satisfiedModes({ ...cpuWith("amd-zen"), vendor: "HygonGenuine" })).toEqual([]);
  expect(satisfiedModes(plainCpu)).toEqual([]);
});

test("the modes are those of the collected evidence, with the same features, levels and evidence", () => {
  expect(
    evcModes.map(({ key, level, label, vendor, features, evidence }) => ({
      ...{ key, level, label, vendor, evidence },
      features,
    })),
  ).toEqual(
    collectedModes.map(({ key, level, label, vendor, features, evidence }) => ({
      ...{ key, level, label, vendor, evidence },
      features: features.map((name) => vmwareFeature(name)?.name).sort(),
    })),
  );
});
