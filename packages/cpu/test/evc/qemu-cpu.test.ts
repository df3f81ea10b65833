/** The modes in QEMU's words, put to QEMU itself. */
import { describe, expect, test } from "vitest";
import { isOlder } from "../../src/causes.ts";
import { microcodeFeatures } from "../../src/evc/microcode.ts";
import { commonFeatures, givenFeatures, isTelling } from "../../src/evc/shown.ts";
import {
  cpuString,
  effectiveFeatures,
  evcModeNamed,
  evcRevisions,
  modeId,
  qemuCpu,
} from "../../src/index.ts";
import { Qemu, qemuBinaries } from "./qemu.ts";

test("a mode's string names a versioned model, each addition and removal, and refuses to be weakened", () => {
  const string = (key: string, microcode: string[] = []) => cpuString(qemuCpu(evcModeNamed(key), microcode));
  expect(string("intel-merom")).toBe("Conroe-v1,+cx16,enforce");
  expect(string("intel-penryn")).toBe("Penryn-v1,enforce");
  expect(string("intel-westmere")).toBe("Westmere-v1,+rdtscp,enforce");
  expect(string("intel-sandybridge")).toBe("SandyBridge-v1,+pcid,-xsaveopt,enforce");
  expect(string("amd-rev-f")).toBe(
    "Opteron_G2-v1,+3dnow,+3dnowext,+fxsr-opt,+mmxext,+rdtscp,-lahf-lm,-svm,enforce",
  );
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
    for (const mode of evcRevisions.filter(({ qemuSince }) => !isOlder(version, qemuSince))) {
      const { model, add, remove } = qemuCpu(mode);
      const shown = effectiveFeatures(await qemu.props(model, add, remove));
      expect(shown.filter(isTelling), modeId(mode)).toEqual(givenFeatures(mode));
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
    const sets = {
      intel: ["md-clear", "spec-ctrl", "ssbd", "stibp"],
      amd: ["amd-ssbd", "amd-stibp", "ibpb", "ibrs"],
    };
    for (const mode of evcRevisions.filter(({ qemuSince }) => !isOlder(version, qemuSince))) {
      for (const set of [sets[mode.vendor], sets[mode.vendor].slice(1, 2)]) {
        const { model, add, remove } = qemuCpu(mode, set);
        const shown = effectiveFeatures(await qemu.props(model, add, remove));
        expect(
          shown.filter((name) => microcodeFeatures.includes(name)),
          modeId(mode),
        ).toEqual(set);
        expect(shown.filter(isTelling), modeId(mode)).toEqual(givenFeatures(mode, set));
      }
    }
  });
});
