/** Masks as QEMU's flags: what is asked, what cannot be, and the installed QEMU's own word on both. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { QmpSession } from "@godwit/qmp";
import type { VmCpu } from "@godwit/contract";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import {
  cpuMasksSchema,
  cpuWithMasks,
  dependentsOf,
  featureNamed,
  features,
  maskToQemu,
  parseMasks,
  placeOf,
  type Cpu,
  type QemuMaskContext,
} from "../src/index.ts";

const nehalem: VmCpu = { model: "Nehalem-v1", add: [], remove: [] };
const intelHost: Cpu = {
  label: "h",
  vendor: "GenuineIntel",
  family: 6,
  model: 0x1a,
  stepping: 5,
  brand: "",
  leaves: [],
  msrs: [],
  features: new Set(["pni", "popcnt"]),
  unknown: new Set(["aes"]),
  virtual: false,
  offered: false,
  mixedCores: false,
};

const told = (entries: Record<string, string>, base = nehalem, context: QemuMaskContext = {}) =>
  maskToQemu(parseMasks(Object.entries(entries)), base, context);

/** A mask of leaf 1's ECX with these characters at these bits. */
const ecx = (bits: Record<number, string>) => ({
  "cpuid.1.ecx": Array.from({ length: 32 }, (_, index) => bits[31 - index] ?? "-").join(""),
});

describe("characters", () => {
  test.each([
    ["0", [], ["popcnt"], []],
    ["1", ["popcnt"], [], []],
    ["R", [], ["popcnt"], [{ powerOn: null, move: "equal" }]],
    ["T", ["popcnt"], [], [{ powerOn: 1, move: 1 }]],
    ["F", [], ["popcnt"], [{ powerOn: 0, move: 0 }]],
    ["X", [], [], []],
    ["-", [], [], []],
  ])("%s", (character, add, remove, checks) => {
    const { cpu, findings, checks: asked } = told(ecx({ 23: character }));
    expect(cpu).toEqual({ model: "Nehalem-v1", add, remove });
    expect(findings).toEqual([]);
    expect(asked).toEqual(checks.map((check) => ({ place: "CPUID.1:ECX[23]", feature: "popcnt", ...check })));
  });

  test("H is the host's own value, and says so where no host or no such value is known", () => {
    const mask = ecx({ 0: "H", 22: "H", 25: "H" });
    expect(told(mask, nehalem, { host: intelHost })).toMatchObject({
      cpu: { add: ["pni"], remove: ["movbe"] },
      findings: [
        { code: "MASK_NEEDS_HOST", severity: "warning", details: { bits: ["aes (CPUID.1:ECX[25])"] } },
      ],
    });
    expect(told(mask).cpu).toEqual(nehalem);
    expect(told(mask).findings[0]?.details.bits).toHaveLength(3);
  });
});

describe("what lies below", () => {
  test("the base's own changes stay, and the masks have the last word", () => {
    const base = { model: "Nehalem-v1", add: ["sse3", "aes", "kvm-pv-eoi"], remove: ["popcnt"] };
    expect(told(ecx({ 25: "0", 23: "1" }), base).cpu).toEqual({
      model: "Nehalem-v1",
      add: ["sse3", "kvm-pv-eoi", "popcnt"],
      remove: ["aes", ...[...dependentsOf("aes")].filter(knownToOldest)],
    });
  });

  test("where the model's own features are known, flags that change nothing are left out", () => {
    const modelFeatures = new Set(["pni", "popcnt", "sse2"]);
    const { cpu } = told(ecx({ 26: "0", 23: "1", 0: "1" }), nehalem, { modelFeatures });
    expect(cpu).toEqual(nehalem);
  });

  test("a hidden parent hides its children, asked for by the mask or by the base", () => {
    const base = { model: "Nehalem-v1", add: ["avx2"], remove: [] };
    const { cpu, findings } = told(ecx({ 26: "0", 28: "1" }), base);
    expect(cpu.add).toEqual([]);
    expect(cpu.remove).toEqual(expect.arrayContaining(["xsave", "avx", "avx2", "avx512f"]));
    expect(findings.map(({ code, details }) => [code, details.feature])).toEqual(
      expect.arrayContaining([
        ["MASK_PARENT_HIDDEN", "avx"],
        ["MASK_PARENT_HIDDEN", "avx2"],
      ]),
    );
    const lacking = told(ecx({ 28: "1" }), nehalem, { modelFeatures: new Set(["pni"]) });
    expect(lacking).toMatchObject({ cpu: nehalem, findings: [{ code: "MASK_PARENT_HIDDEN" }] });
  });
});

describe("what QEMU cannot be told", () => {
  test.each<[string, Record<string, string>, string]>([
    ["no name, asked for", { "featMask.vm.cpuid.CET_SS": "Val:1" }, "QEMU has no name for it"],
    ["not yet", { "featMask.vm.cpuid.FCMD": "Val:1" }, "QEMU 7.2 does not know it; QEMU 8.0 does"],
    ["an unnamed bit", ecx({ 16: "1" }), "QEMU has no name for it"],
    ["state", ecx({ 27: "0" }), "has switched on"],
    ["a number", { "cpuid.1.eax": "----:----:----:----:----:----:----:0001" }, "which the CPU model brings"],
    ["the other vendor", { "featMask.vm.cpuid.AMD": "Val:1" }, "the guest sees an Intel CPU"],
    ["derived, kept", { "featMask.vm.cpuid.XCR0_MASTER_SSE": "Val:0" }, "wherever it shows sse2"],
    [
      "derived, without its source",
      { "featMask.vm.cpuid.XCR0_MASTER_YMM_H": "Val:1" },
      "only together with avx",
    ],
  ])("%s", (_, masks, reason) => {
    const { findings, cpu } = told(masks);
    expect(cpu).toEqual(nehalem);
    expect(findings).toMatchObject([{ code: "MASK_NOT_EXPRESSIBLE", severity: "error" }]);
    expect(findings[0]?.message).toContain(reason);
  });

  test("a newer QEMU can be told more", () => {
    const { cpu, findings } = told({ "featMask.vm.cpuid.FCMD": "Val:1" }, nehalem, { qemuVersion: "10.0.2" });
    expect([cpu.add, findings]).toEqual([["flush-l1d"], []]);
  });

  test("a hidden bit without a name is hidden already, and said to be", () => {
    expect(told(ecx({ 16: "0", 11: "R" }))).toMatchObject({
      cpu: nehalem,
      findings: [],
      neverShown: ["sdbg (CPUID.1:ECX[11])", "CPUID.1:ECX[16]"],
    });
  });

  test("numbers of a mode are told once, as the model's own", () => {
    const { findings } = told({
      "featMask.vm.cpuid.FAMILY": "Val:6",
      "featMask.vm.hv.capable": "Val:1",
      "featMask.vm.cpuid.Intel": "Val:1",
    });
    expect(findings).toMatchObject([
      { severity: "warning", details: { bits: ["cpuid.FAMILY", "hv.capable"] } },
    ]);
  });

  test("no masked bit is lost: it is a flag, a finding, never shown, or the model's own affair", () => {
    const character = fc.constantFrom("0", "1", "H", "R", "T", "F", "X", "-");
    const register = fc.constantFrom("1.ecx", "1.edx", "7.ebx", "7.edx", "d.eax", "80000001.edx", "1.eax");
    const bits = fc.array(character, { minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(register, bits, (where, characters) => {
        const { cpu, findings, neverShown } = told({ [`cpuid.${where}`]: characters.join("") });
        const said = JSON.stringify([findings, neverShown]);
        const [leaf = "", name = ""] = where.split(".");
        for (const [index, one] of characters.entries()) {
          if (one === "-" || one === "X") continue;
          const place = {
            leaf: Number.parseInt(leaf, 16),
            subleaf: 0,
            register: name as "eax",
            bit: 31 - index,
          };
          const feature = features.find((known) => placeOf(known) === placeOf(place));
          const flagged = feature !== undefined && [...cpu.add, ...cpu.remove].includes(feature.name);
          const derived = feature?.impliedBy != null;
          expect([placeOf(place), one, flagged || derived || said.includes(placeOf(place))]).toEqual([
            placeOf(place),
            one,
            true,
          ]);
        }
      }),
      { numRuns: 60 },
    );
  });
});

test("a description's masks become the VM's stored CPU", () => {
  const masks = cpuMasksSchema.parse({ ...ecx({ 23: "0" }), "featMask.vm.cpuid.AES": "Val:1" });
  expect(cpuWithMasks(nehalem, masks)).toMatchObject({
    cpu: { model: "Nehalem-v1", add: ["aes"], remove: ["popcnt"] },
    checks: [{ feature: "aes", powerOn: 1, move: 1 }],
    findings: [],
  });
  expect(() => cpuWithMasks(nehalem, { "cpuid.1.ecx": "?" })).toThrow('"?" at position 1');
});

describe.each(inject("qemuBinaries"))("%s", (binary) => {
  let qemu: { qmp: QmpSession; end: () => Promise<void> };
  beforeAll(async () => {
    qemu = await startQemu(binary);
  });
  afterAll(() => qemu.end());

  const propertiesOf = async ({ model, add, remove }: VmCpu): Promise<Map<string, boolean>> => {
    const props = Object.fromEntries([
      ...add.map((name) => [name, true] as const),
      ...remove.map((name) => [name, false] as const),
    ]);
    const { model: expanded } = await qemu.qmp.execute("query-cpu-model-expansion", {
      type: "full",
      model: { name: model, props },
    });
    const all = Object.entries(expanded.props ?? {});
    return new Map(all.flatMap(([name, on]) => (typeof on === "boolean" ? [[name, on] as const] : [])));
  };

  test("has a property for each feature that its version is said to have", async () => {
    const known = await propertiesOf(nehalem);
    expect(
      features.filter(({ name }) => knownToOldest(name) && !known.has(name)).map(({ name }) => name),
    ).toEqual([]);
  });

  test.each<[string, Record<string, string>, VmCpu]>([
    ["a bit less, a bit more", ecx({ 23: "0", 25: "1", 13: "F", 1: "T" }), nehalem],
    ["no XSAVE", ecx({ 26: "0" }), { model: "SandyBridge-v1", add: [], remove: [] }],
    ["no SSE2", { "cpuid.1.edx": "----:-0--:----:----:----:----:----:----" }, nehalem],
    ["no NX, no long mode", { "cpuid.80000001.edx": "--0-:----:---0:----:----:----:----:----" }, nehalem],
    [
      "AMD's bits",
      { "cpuid.80000001.ecx.amd": "----:----:----:----:----:---0:1---:----" },
      { model: "EPYC-v1", add: [], remove: [] },
    ],
    [
      "by names, complete",
      Object.fromEntries([
        ...["SSE3", "SSSE3", "CMPXCHG16B", "LM", "NX", "LAHF64", "SSE41"].map((name) => [
          `featMask.vm.cpuid.${name}`,
          "Val:1",
        ]),
        ["featureCompat.vm.completeMasks", "TRUE"],
      ]) as Record<string, string>,
      { model: "Cascadelake-Server-v5", add: [], remove: [] },
    ],
  ])("%s: shows exactly what was asked, and leaves the rest as the model has it", async (_, masks, base) => {
    const before = await propertiesOf(base);
    const own = new Set([...before].flatMap(([name, on]) => (on ? [name] : [])));
    for (const modelFeatures of [undefined, own]) {
      const context = modelFeatures === undefined ? {} : { modelFeatures };
      const { cpu, findings } = maskToQemu(parseMasks(Object.entries(masks)), base, context);
      expect(findings).toEqual([]);
      const after = await propertiesOf(cpu);
      const wanted = new Map(before);
      for (const [flags, on] of [
        [cpu.add, true],
        [cpu.remove, false],
      ] as const) {
        for (const name of flags) wanted.set(name, on);
      }
      const differing = [...wanted].filter(([name, on]) => isFeature(name) && after.get(name) !== on);
      expect(differing).toEqual([]);
      const changed = [...after].filter(([name, on]) => isFeature(name) && before.get(name) !== on);
      if (modelFeatures !== undefined) {
        expect(changed.map(([name]) => name).sort()).toEqual([...cpu.add, ...cpu.remove].sort());
      }
    }
  });
});

const isFeature = (name: string): boolean => featureNamed(name)?.name === name;

function knownToOldest(name: string): boolean {
  return featureNamed(name)?.qemuSince === "7.2";
}

/** A QEMU without a guest, asked over its socket. */
async function startQemu(binary: string): Promise<{ qmp: QmpSession; end: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "godwit-masks-"));
  const [socket, pidFile] = [join(folder, "qmp.sock"), join(folder, "pid")];
  // QEMU comes back to us when its sockets are there, and stays behind as a daemon.
  const starter = spawn(
    binary,
    [
      ...["-no-user-config", "-nodefaults", "-display", "none", "-S", "-daemonize", "-pidfile", pidFile],
      ...["-machine", "q35", "-accel", "tcg", "-m", "16", "-qmp", `unix:${socket},server=on,wait=off`],
    ],
    { stdio: "ignore" },
  );
  await once(starter, "exit");
  const pid = Number(await readFile(pidFile, "utf8"));
  const qmp = await QmpSession.connect(socket);
  return {
    qmp,
    async end() {
      qmp.close();
      process.kill(pid, "SIGKILL");
      await rm(folder, { recursive: true, force: true });
    },
  };
}
