/** What operators give as libvirt's XML: models by name, several CPUs in one file, other architectures. */
import { describe, expect, test } from "vitest";
import { GodwitError } from "@godwit/contract";
import { compareCpus, cpuOf, readCpuSource, reportOf, type Cpu } from "../../src/index.ts";
import { qemuModelNamed } from "../../src/named-models/named-models.ts";
import { describeWith } from "../../../../test-kit/src/describe-with.ts";
import { effectiveFeatures, Qemu, qemuBinaries } from "../evc/qemu.ts";

const host = (model: string, more = "", vendor = "Intel"): string =>
  `<cpu><arch>x86_64</arch><model>${model}</model><vendor>${vendor}</vendor>${more}</cpu>`;
const cpuIn = (xml: string, label: string): Cpu => cpuOf(reportOf(readCpuSource(xml, label)), label);

function refusal(text: string): GodwitError {
  try {
    readCpuSource(text, "file.xml");
  } catch (error) {
    if (GodwitError.is(error)) return error;
  }
  throw new Error("it was read");
}

describe("models by name", () => {
  test("a Nehalem and a Sapphire Rapids differ in what their names stand for", () => {
    const { aToB, bToA, differences } = compareCpus(
      cpuIn(host("Nehalem"), "old"),
      cpuIn(host("SapphireRapids"), "new"),
    );
    expect([aToB.verdict, bToA.verdict]).toEqual(["may-not", "may-not"]);
    expect(differences.find(({ feature }) => feature === "avx")).toMatchObject({ a: false, b: true });
  });

  test("two hosts of one model are not known to be alike where libvirt has no name for what may differ", () => {
    const { aToB, untold } = compareCpus(cpuIn(host("Westmere"), "a"), cpuIn(host("Westmere"), "b"));
    expect(aToB.verdict).toBe("unknown");
    expect(untold).toContain("cet-ss");
  });

  test("EVC modes follow from the model and the list", () => {
    const lists =
      "<feature name='monitor'/><feature name='ds'/><feature name='ss'/><feature name='rdtscp'/><feature name='pclmuldq'/>";
    const modes = reportOf(readCpuSource(host("Westmere", lists), "a")).evcModes;
    expect(modes).toEqual(["intel-merom", "intel-penryn", "intel-nehalem", "intel-westmere"]);
  });

  test("what a model's definition once had is not known, unless it is listed", () => {
    const without = reportOf(readCpuSource(host("Skylake-Server-v1"), "a"));
    expect(without.unknownFeatures).toContain("mpx");
    const listed = reportOf(readCpuSource(host("Skylake-Server-v1", "<feature name='mpx'/>"), "a"));
    expect(listed.features).toContain("mpx");
  });

  test("what a later libvirt has a name for is absent where it surely wrote the file, else not known", () => {
    const early = reportOf(readCpuSource(host("Westmere"), "a"));
    expect(early.unknownFeatures).toContain("erms");
    const late = reportOf(readCpuSource(host("Westmere-v1"), "a"));
    expect([...late.features, ...late.unknownFeatures]).not.toContain("erms");
  });
});

describe("what is not one x86 CPU", () => {
  test("several: each is named with its line, and none is taken silently", () => {
    const error = refusal(
      `<cpus>\n${host("Westmere", "<feature name='pcid'/>")}\n${host("Nehalem")}\n</cpus>`,
    );
    expect(error.code).toBe("CPU_FILE_SEVERAL");
    expect(error.message).toContain("2 CPUs, at lines 2, 3 (Westmere, Nehalem)");
  });

  test.each(["ppc64le", "s390x", "aarch64"])("%s is told as what it is", (architecture) => {
    const xml = `<capabilities><host><cpu><arch>${architecture}</arch><model>POWER8</model><vendor>IBM</vendor></cpu></host></capabilities>`;
    expect(refusal(xml)).toMatchObject({
      code: "CPU_NOT_X86",
      message: expect.stringContaining(architecture) as string,
    });
    const offered = `<domainCapabilities><domain>kvm</domain><arch>${architecture}</arch><cpu><mode name='host-model' supported='yes'><model>z14</model></mode></cpu></domainCapabilities>`;
    expect(refusal(offered).code).toBe("CPU_NOT_X86");
  });
});

describeWith("QEMU", qemuBinaries.length > 0 ? null : "QEMU is not installed", () => {
  test("says of its models what the table says", async () => {
    for (const binary of qemuBinaries) {
      await using qemu = await Qemu.start(binary);
      const definitions = (await qemu.ask("query-cpu-definitions")) as { name: string }[];
      const known = definitions.flatMap(({ name }) => qemuModelNamed(name) ?? []);
      expect(known.length).toBeGreaterThan(50);
      const wrong: string[] = [];
      for (const { name, features } of known) {
        const real = new Set(effectiveFeatures(await qemu.props(name, [], [])));
        wrong.push(...[...features.symmetricDifference(real)].map((feature) => `${name} ${feature}`));
      }
      expect(wrong).toEqual([]);
    }
  });
});
