/** The modes in QEMU's words, put to QEMU itself. */
import type { QemuFacts } from "@godwit/contract";
import { describe, expect, test } from "vitest";
import { isOlderQemu } from "../../src/features/qemu-version.ts";
import { microcodeFeatures } from "../../src/evc/microcode.ts";
import { commonFeatures, exposedFeatures, distinguishesCpus } from "../../src/evc/exposed-features.ts";
import {
  commonSets,
  cpuString,
  evcModeNamed,
  evcRevisions,
  explicitHostCpu,
  modeId,
  qemuCpu,
} from "../../src/index.ts";
import { cpuWith, plainCpu } from "./cpus.ts";
import { effectiveFeatures, Qemu, qemuBinaries } from "./qemu.ts";

test("a mode's string names a versioned model, each addition and removal, and refuses to be weakened", () => {
  const string = (key: string, microcode: string[] = []) => cpuString(qemuCpu(evcModeNamed(key), microcode));
  expect(string("intel-merom")).toBe("Conroe-v1,+cx16,enforce");
  expect(string("intel-penryn")).toBe("Penryn-v1,enforce");
  expect(string("intel-westmere")).toBe("Westmere-v1,+rdtscp,enforce");
  expect(string("intel-sandybridge")).toBe("SandyBridge-v1,+pcid,-xsaveopt,enforce");
  expect(string("amd-rev-f")).toBe("Opteron_G2-v1,+3dnow,+3dnowext,+mmxext,+rdtscp,-lahf-lm,-svm,enforce");
  // The model has spec-ctrl: it is no longer taken away where the pool has it. stibp must be added.
  expect(string("intel-skylake", ["spec-ctrl", "stibp"])).toBe(
    "Skylake-Server-v5,+clflushopt,+stibp,-pdpe1gb,-xgetbv1,-xsaveopt,enforce",
  );
});

describe.each(qemuBinaries)("%s", (binary) => {
  test("shows in each mode exactly the mode, what every guest has, and nothing else that Godwit has a name for", async () => {
    await using qemu = await Qemu.start(binary);
    const version = (await qemu.version()).join(".");
    const asked: string[] = [];
    for (const mode of [...evcRevisions, ...commonSets].filter(
      ({ qemuSince }) => !isOlderQemu(version, qemuSince),
    )) {
      const { model, add, remove } = qemuCpu(mode);
      const shown = effectiveFeatures(await qemu.props(model, add, remove));
      expect(shown.filter(distinguishesCpus), modeId(mode)).toEqual(exposedFeatures(mode));
      const lacking = [...commonFeatures].filter((feature) => !shown.includes(feature));
      // Left out of QEMU's models for reasons of its own.
      expect(lacking, modeId(mode)).toEqual(["vme", "acpi"]);
      asked.push(mode.key);
    }
    expect(asked.length).toBeGreaterThanOrEqual(21);
  });

  test("adds and takes away just the microcode bits that a pool has", async () => {
    await using qemu = await Qemu.start(binary);
    const version = (await qemu.version()).join(".");
    const sets: Readonly<Record<string, string[]>> = {
      intel: ["md-clear", "spec-ctrl", "ssbd", "stibp"],
      amd: ["amd-ssbd", "amd-stibp", "ibpb", "ibrs"],
    };
    for (const mode of evcRevisions.filter(({ qemuSince }) => !isOlderQemu(version, qemuSince))) {
      const ofVendor = sets[mode.vendor] ?? [];
      for (const set of [ofVendor, ofVendor.slice(1, 2)]) {
        const { model, add, remove } = qemuCpu(mode, set);
        const shown = effectiveFeatures(await qemu.props(model, add, remove));
        expect(
          shown.filter((name) => microcodeFeatures.includes(name)),
          modeId(mode),
        ).toEqual(set);
        expect(shown.filter(distinguishesCpus), modeId(mode)).toEqual(exposedFeatures(mode, set));
      }
    }
  });
});

describe.each(qemuBinaries)("%s under emulation", (binary) => {
  const machine = ["-machine", "q35", "-accel", "tcg", "-m", "16"];
  const starts = async (cpu: string): Promise<boolean> => {
    try {
      await using qemu = await Qemu.start(binary, [...machine, "-cpu", cpu]);
      return qemu.answers;
    } catch {
      return false;
    }
  };

  test.each(["intel-merom", "intel-penryn", "intel-nehalem", "intel-westmere", "amd-rev-e", "amd-rev-f"])(
    "starts a guest with %s, nothing left out",
    async (key) => {
      expect(await starts(cpuString(qemuCpu(evcModeNamed(key))))).toBe(true);
    },
  );

  test("refuses a guest with a mode that it cannot give", async () => {
    expect(await starts(cpuString(qemuCpu(evcModeNamed("intel-icelake"))))).toBe(false);
  });

  async function facts(): Promise<Pick<QemuFacts, "cpuModels" | "availableFeatures">> {
    await using qemu = await Qemu.start(binary, machine);
    const definitions = (await qemu.ask("query-cpu-definitions")) as Record<string, unknown>[];
    return {
      cpuModels: definitions.map((model) => ({
        name: String(model["name"]),
        unavailableFeatures: (model["unavailable-features"] ?? []) as string[],
      })),
      availableFeatures: Object.entries(await qemu.props("max", [], []))
        .filter(([, on]) => on === true)
        .map(([name]) => name),
    };
  }

  test("starts a guest without a baseline with what its host has, named feature by feature", async () => {
    const known = await facts();
    for (const host of [
      null,
      cpuWith("intel-icelake"),
      cpuWith("amd-zen3"),
      cpuWith("amd-greyhound"),
      plainCpu,
    ]) {
      const cpu = explicitHostCpu(known, host);
      expect(cpu.model).toMatch(/-v\d+$/);
      expect(await starts(cpuString(cpu)), cpuString(cpu)).toBe(true);
      if (host === null) continue;
      await using qemu = await Qemu.start(binary, machine);
      const shown = effectiveFeatures(await qemu.props(cpu.model, cpu.add, cpu.remove));
      const more = shown.filter((name) => distinguishesCpus(name) && !host.features.has(name));
      // The plainest model's own.
      expect(more.filter((name) => !["pni", "cx16", "lm", "nx"].includes(name))).toEqual([]);
    }
  });
});
