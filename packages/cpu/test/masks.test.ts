/** Masks: the grammar, what lies over what, what a host makes of them, and `.vmx` files. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  applyMasks,
  bitOfCpu,
  bitsLayer,
  compose,
  cpuMasksSchema,
  dependentsOf,
  effectiveLayer,
  emptyLayer,
  explainMasks,
  featureNamed,
  features,
  hostDefault,
  layerOf,
  layersOf,
  maskEntries,
  maskMeanings,
  moveFindings,
  noMasks,
  parseMasks,
  placeOf,
  powerOnFindings,
  readVmxMasks,
  vmwareFeature,
  writeVmxMasks,
  type Cpu,
  type MaskCharacter,
  type MaskLayer,
  type Masks,
  type RegisterPlace,
} from "../src/index.ts";
import { collectedModes } from "./collected-modes.ts";

const ecx1: RegisterPlace = { leaf: 1, subleaf: 0, register: "ecx" };
/** A bit of it that needs no other. */
const movbe = 22;
const allPass = "----:----:----:----:----:----:----:----";

/** An Intel CPU that answers with these registers of leaf 1 and has no other leaf. */
function cpu(label: string, { ecx = 0, edx = 0 }: { ecx?: number; edx?: number }): Cpu {
  const leaves = [{ leaf: 1, subleaf: 0, eax: 0, ebx: 0, ecx, edx }];
  const named = features.filter(({ leaf }) => leaf === 1);
  const bits = { label, leaves, features: new Set<string>(), unknown: new Set(features.map((f) => f.name)) };
  const all: Cpu = { ...identity, ...bits };
  const there = named.filter((feature) => bitOfCpu(all, feature, feature.bit) === 1).map(({ name }) => name);
  const unknown = features.filter(({ leaf }) => leaf !== 1).map(({ name }) => name);
  return { ...all, features: new Set(there), unknown: new Set(unknown) };
}

const identity = {
  vendor: "GenuineIntel",
  family: 6,
  model: 0x17,
  stepping: 6,
  brand: "",
  msrs: [],
  virtual: false,
  offered: false,
  mixedCores: false,
};

/** A CPU of which the names of its features are known, and nothing else. */
const cpuWith = (...names: string[]): Cpu => ({
  ...identity,
  label: "h",
  leaves: [],
  features: new Set(names),
  unknown: new Set(),
});

const masks = (entries: Record<string, string>): Masks => parseMasks(Object.entries(entries));
const register = (key: string, value: string): readonly MaskCharacter[] =>
  masks({ [key]: value }).registers[0]?.bits ?? [];

describe("the grammar of registers", () => {
  test("bit 31 stands leftmost", () => {
    const bits = register("cpuid.1.ecx", "1---:----:----:----:----:----:----:---R");
    expect(bits[31]).toBe("1");
    expect(bits[0]).toBe("R");
    expect(bits.filter((one) => one !== "-")).toHaveLength(2);
  });

  test("keys and letters may be in any case, one vendor's too, and colons may be left out", () => {
    expect(masks({ "CPUID.80000001.EDX.AMD": "hhhh:xxxx:----:----:----:----:----:rtf0" }).registers).toEqual([
      {
        leaf: 0x80000001,
        subleaf: 0,
        register: "edx",
        vendor: "amd",
        bits: Array.from("HHHHXXXX--------------------RTF0").reverse(),
      },
    ]);
    expect(register("cpuid.7.ebx", "-".repeat(13) + "0" + "-".repeat(18))[18]).toBe("0");
  });

  const refusals: [key: string, value: string, says: string][] = [
    ["cpuid.1.ecx", "----:--Q-:----:----:----:----:----:----", '"Q" at position 8 (bit 25)'],
    ["cpuid.1.ecx", "----:---I:----:----:----:----:----:----", "I (install) at position 9 (bit 24)"],
    ["cpuid.1.ecx", "----:---:----:----:----:----:----:----:", "group 2 has 3 characters; expected 4"],
    ["cpuid.1.ecx", "----:----", "it has 2 groups of 4; expected 8"],
    ["cpuid.1.ecx", "0000000X", "it has 8 characters; expected 32"],
    ["cpuid.1.ecx", "", "it has 0 characters; expected 32"],
    ["cpuid.1.ecx", allPass + ":-", "group 9 has 1 characters"],
    ["cpuid.0x1.ecx", allPass, "hexadecimal leaf (no 0x)"],
    ["cpuid.1.ecx.via", allPass, ".intel or .amd at most"],
    ["cpuid.1.efx", allPass, "eax ebx ecx edx"],
    ["featMask.vm.cpuid.AES", "1", "expected Val:N, Max:N or Min:N"],
    ["featMask.vm.cpuid.AES", "Val:2", "cpuid.AES is one bit"],
    ["featMask.vm.cpuid.FAMILY", "Val:0x100000000", "expected Val:N"],
    ["featMask.vm.", "Val:1", "expected a feature as VMware names it"],
    ["featureRequirement.cpuid.AES", "Bool:Max:1", "expected Bool:Min:N"],
    ["featureCompat.vm.completeMasks", "yes", "expected TRUE or FALSE"],
    ["cpuid.coresPerSocket", "4", "expected a key like cpuid.1.ecx"],
  ];
  test.each(refusals)("%s = %s is refused in words", (key, value, says) => {
    expect(() => masks({ [key]: value })).toThrow(says);
    const issues = cpuMasksSchema.safeParse({ [key]: value }).error?.issues ?? [];
    expect(issues).toMatchObject([{ path: [key], message: expect.stringContaining(says) as string }]);
  });

  test("the same mask twice is refused however its key is spelt", () => {
    expect(() => masks({ "cpuid.1.ecx": allPass, "CPUID.01.ECX": allPass })).toThrow("given twice");
    expect(cpuMasksSchema.safeParse({ "cpuid.1.ecx": allPass, "cpuid.1.ECX": allPass }).success).toBe(false);
  });

  test("whatever is written is read as the same masks", () => {
    fc.assert(
      fc.property(someMasks, (some) => {
        expect(parseMasks(maskEntries(some))).toEqual(some);
      }),
    );
  });

  test("any text is a mask or is refused with MASK_INVALID", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (key, value) => {
        const read = () => parseMasks([[key, value]]);
        expect(outcomeOf(read)).toMatch(/^(?:read|MASK_INVALID)$/);
        const bits = () => parseMasks([["cpuid.1.ecx", value]]);
        expect(outcomeOf(bits)).toMatch(/^(?:read|MASK_INVALID)$/);
      }),
    );
  });
});

describe("layers over each other", () => {
  test("a mask that passes shows what lies below, grouping does not matter, the empty layer changes nothing", () => {
    fc.assert(
      fc.property(someLayer, someLayer, someLayer, (a, b, c) => {
        expect(compose(compose(a, b), c)).toEqual(compose(a, compose(b, c)));
        expect(compose(emptyLayer, a)).toEqual(a);
        expect(compose(a, emptyLayer)).toEqual(a);
        expect(compose(a, a)).toEqual(a);
      }),
    );
  });

  test("in every bit the topmost character that is not - wins", () => {
    fc.assert(
      fc.property(fc.array(someLayer, { maxLength: 5 }), (layers) => {
        const composed = compose(...layers);
        for (const key of new Set(layers.flatMap((layer) => [...layer.keys()]))) {
          for (let bit = 0; bit < 32; bit++) {
            const said = layers.map((layer) => layer.get(key)?.[bit] ?? "-").filter((one) => one !== "-");
            expect(composed.get(key)?.[bit]).toBe(said.at(-1) ?? "-");
          }
        }
      }),
    );
  });

  test("a vendor's own mask lies over the one for all, and only over that vendor's", () => {
    const some = masks({
      "cpuid.1.ecx.intel": "----:----:----:----:----:----:----:---0",
      "cpuid.1.ecx": "----:----:----:----:----:----:----:--11",
    });
    expect(layerOf(some, "intel").get("1.0.ecx")?.slice(0, 2)).toEqual(["0", "1"]);
    expect(layerOf(some, "amd").get("1.0.ecx")?.slice(0, 2)).toEqual(["1", "1"]);
    expect(layerOf(some, null).get("1.0.ecx")?.slice(0, 2)).toEqual(["1", "1"]);
  });

  test("complete masks hide what they do not name, but not what every 64-bit CPU has", () => {
    const layer = layerOf(
      masks({ "featMask.vm.cpuid.SSE3": "Val:1", "featureCompat.vm.completeMasks": "TRUE" }),
      "intel",
    );
    const at = (name: string) => {
      const feature = featureNamed(name);
      return feature === undefined
        ? undefined
        : layer.get(`${feature.leaf.toString(16)}.${String(feature.subleaf)}.${feature.register}`)?.[
            feature.bit
          ];
    };
    expect(["pni", "ssse3", "avx", "ss", "nx"].map(at)).toEqual(["T", "0", "0", "0", "0"]);
    expect(["sse2", "fpu", "hypervisor", "syscall"].map((name) => at(name) ?? "-")).toEqual([
      "-",
      "-",
      "-",
      "-",
    ]);
  });
});

describe("a mask on a host", () => {
  const host = (bit: 0 | 1) => cpu(`host with ${String(bit)}`, { ecx: bit << movbe });
  const layer = (character: MaskCharacter) => bitsLayer([[ecx1, movbe, character]]);

  /** Table 4.1 of VMware's description, by hand: what the guest sees, power-on, and a move from 0 or 1 to 0 or 1. */
  const expected: Record<Exclude<MaskCharacter, "-">, [sees: string, powerOn: string, moves: string]> = {
    "0": ["00", "yy", "yyyy"],
    "1": ["11", "yy", "yyyy"],
    H: ["01", "yy", "ynny"],
    R: ["00", "yy", "ynny"],
    T: ["01", "ny", "nyny"],
    F: ["01", "yn", "ynyn"],
    X: ["01", "yy", "yyyy"],
  };

  test.each(Object.entries(expected))("%s", (character, [sees, powerOn, moves]) => {
    const mask = layer(character as MaskCharacter);
    const yes = (findings: unknown[]) => (findings.length === 0 ? "y" : "n");
    const bits = [0, 1] as const;
    const seen = bits.map((bit) => String(movbeOf(mask, host(bit))?.sees)).join("");
    expect(seen).toBe(sees);
    expect(bits.map((bit) => yes(powerOnFindings(mask, noMasks, host(bit)))).join("")).toBe(powerOn);
    const moved = bits.flatMap((from) =>
      bits.map((to) => yes(moveFindings(mask, noMasks, host(from), host(to)))),
    );
    expect(moved.join("")).toBe(moves);
  });

  test("explain says what apply does, in every bit and with every layer", () => {
    fc.assert(
      fc.property(someMasks, fc.option(fc.nat(0xffffffff), { nil: undefined }), (some, ecx) => {
        const on = ecx === undefined ? null : cpu("h", { ecx });
        const layers = layersOf(some, "intel");
        const applied = new Map(
          applyMasks(effectiveLayer(layers), on).map((one) => [placeText(one.place, one.bit), one]),
        );
        const explained = explainMasks(layers, on);
        expect(explained).toHaveLength(applied.size);
        for (const { place, character, sees, hiddenBy, guest, powerOn, move } of explained) {
          expect(applied.get(place)).toMatchObject({ character, sees, hiddenBy });
          expect(powerOn === null).toBe(maskMeanings[character].powerOn === null);
          if (hiddenBy === null) expect(move === null).toBe(maskMeanings[character].move === null);
          if (sees !== null) expect(guest.startsWith(String(sees))).toBe(true);
        }
      }),
      { numRuns: 30 },
    );
  });

  test("whatever is hidden, everything that needs it is hidden too", () => {
    const names = features.map(({ name }) => name);
    fc.assert(
      fc.property(fc.subarray(names), fc.subarray(names, { maxLength: 12 }), (there, hidden) => {
        const mask = bitsLayer(
          hidden.flatMap((name) => {
            const feature = featureNamed(name);
            return feature === undefined ? [] : [[feature, feature.bit, "0"] as const];
          }),
        );
        const sees = new Map(
          applyMasks(mask, cpuWith(...there)).map(({ feature, sees: bit }) => [feature?.name, bit]),
        );
        for (const name of hidden) {
          for (const child of dependentsOf(name))
            expect([name, child, sees.get(child)]).toEqual([name, child, 0]);
        }
        for (const { name, parents } of features) {
          if (sees.get(name) === 1) expect(parents.filter((parent) => sees.get(parent) === 0)).toEqual([]);
        }
      }),
      { numRuns: 40 },
    );
  });

  test("hiding XSAVE hides AVX even where a mask forces it, and AVX is then not compared", () => {
    const layers = layersOf(masks({ "cpuid.1.ecx": "---1:-0--:----:----:----:----:----:----" }), "intel");
    const bits = explainMasks(layers, cpuWith("xsave", "avx", "avx2"));
    const named = (name: string) => bits.find(({ feature }) => feature === name);
    expect(named("avx")).toMatchObject({ sees: 0, hiddenBy: "xsave", guest: "0, because xsave is hidden" });
    expect(named("avx2")).toMatchObject({ sees: 0, move: null });
    const hosts = [cpuWith("xsave", "avx"), cpuWith("xsave", "avx", "avx2")] as const;
    expect(moveFindings(effectiveLayer(layers), noMasks, ...hosts)).toEqual([]);
    expect(moveFindings(hostDefault("intel"), noMasks, ...hosts)).toMatchObject([
      { code: "MASK_MOVE_REFUSED", details: { feature: "avx2" } },
    ]);
  });

  test("what a report does not tell passes for neither", () => {
    const silent = { ...cpuWith(), unknown: new Set(["movbe"]) };
    expect(movbeOf(layer("T"), silent)).toMatchObject({ host: null });
    expect(powerOnFindings(layer("T"), noMasks, silent)).toEqual([]);
    expect(moveFindings(layer("H"), noMasks, cpuWith("movbe"), silent)).toEqual([]);
  });

  test("values above what the host has, and requirements that it does not meet, are refused by name", () => {
    const some = masks({
      "featMask.vm.cpuid.MODEL": "Val:0x25",
      "featMask.vm.cpuid.AMD": "Min:1",
      "featMask.vm.cpuid.aes": "Val:1",
      "featMask.vm.cpuid.STEPPING": "Max:1",
      "featMask.vm.hv.capable": "Val:1",
      "featureRequirement.cpuid.SSE3": "Bool:Min:1",
      "featureRequirement.cpuid.FAMILY": "Match:6",
    });
    const findings = powerOnFindings(layerOf(some, "intel"), some, cpuWith());
    expect(findings.map(({ code, details }) => [code, details.name ?? details.feature])).toEqual([
      ["MASK_POWER_ON_REFUSED", "aes"],
      ["MASK_ABOVE_HOST", "cpuid.MODEL"],
      ["MASK_ABOVE_HOST", "cpuid.AMD"],
      ["MASK_REQUIREMENT_UNMET", "cpuid.SSE3"],
    ]);
    expect(findings[0]?.message).toContain("aes (CPUID.1:ECX[25])");
  });
});

describe("KB 1008315: two hosts of which one has XSAVE", () => {
  const [penryn, later] = [cpu("a", { ecx: 0x000ce3bd }), cpu("b", { ecx: 0x040ce3bd })];

  test("the table of February 2008 does not know bit 26: hidden and compared, so the VM may not move", () => {
    const layer = hostDefault("intel", "vi3-2008-02");
    for (const [from, to] of [
      [penryn, later],
      [later, penryn],
    ] as const) {
      expect(moveFindings(layer, noMasks, from, to)).toMatchObject([
        { code: "MASK_MOVE_REFUSED", details: { place: "CPUID.1:ECX[26]", feature: "xsave" } },
      ]);
    }
    expect(applyMasks(layer, later).find(({ feature }) => feature?.name === "xsave")).toMatchObject({
      character: "R",
      sees: 0,
    });
  });

  test("the table of April 2008 hides it, and the VM may move both ways", () => {
    const layer = hostDefault("intel", "vi3-2008-04");
    expect(moveFindings(layer, noMasks, penryn, later)).toEqual([]);
    expect(moveFindings(layer, noMasks, later, penryn)).toEqual([]);
  });

  test("a VM's own mask does the same under the old table", () => {
    const own = masks({ "cpuid.1.ecx": "----:-0--:----:----:----:----:----:----" });
    expect(moveFindings(effectiveLayer(layersOf(own, "intel", "vi3-2008-02")), own, penryn, later)).toEqual(
      [],
    );
  });
});

describe(".vmx files", () => {
  const vmx = [
    "#!/usr/bin/vmware",
    '.encoding = "UTF-8"',
    'cpuid.coresPerSocket = "2"',
    'CPUID.1.ECX = "----:----:----:----:----:----:----:---R"   # SSE3',
    "featMask.vm.cpuid.pdpe1gb = Val:1",
    'displayName = "a \\"b\\" = c"',
    'featureCompat.vm.completeMasks = "FALSE"',
    "",
  ].join("\r\n");

  test("masks are found whatever stands around them", () => {
    expect(readVmxMasks(vmx)).toMatchObject({
      registers: [{ leaf: 1, register: "ecx" }],
      features: [{ name: "cpuid.PDPE1GB", rule: "Val", value: 1 }],
      complete: false,
    });
    expect(readVmxMasks("")).toEqual(noMasks);
  });

  test("writing what is there changes nothing, writing nothing takes the masks out", () => {
    expect(writeVmxMasks(vmx, readVmxMasks(vmx))).toBe(vmx);
    expect(writeVmxMasks(vmx, noMasks).split("\r\n")).toEqual(
      vmx.split("\r\n").filter((line) => !/^(?:CPUID\.1|featMask)/.test(line)),
    );
  });

  test("a line that is no mask though it means to be one is reported, and a mask that is there twice", () => {
    expect(() => readVmxMasks(`cpuid.1.ecx = "${allPass}`)).toThrow("one value in double quotes");
    expect(() => readVmxMasks('cpuid.1.ecx = "oops"')).toThrow(
      "MASK" in {} ? "" : '"o" at position 1 (bit 31)',
    );
    expect(() => readVmxMasks(`${vmx}cpuid.1.ecx = "${allPass}"`)).toThrow("given twice");
  });

  test("the masks are read back as they were written, and every other line is as it was", () => {
    const unrelated = fc.oneof(
      fc.constantFrom(
        ...vmx.split("\r\n").filter((line) => !/^(?:CPUID\.1|featMask|featureCompat)/.test(line)),
      ),
      fc.string().filter((line) => !/[\r\n]|cpuid|feat/i.test(line)),
    );
    const ends = fc.constantFrom("\n", "\r\n");
    fc.assert(
      fc.property(
        fc.array(unrelated),
        someMasks,
        someMasks,
        ends,
        fc.boolean(),
        (lines, before, after, end, last) => {
          const old = maskEntries(before).map(([key, value]) => `${key.toUpperCase()} = "${value}"`);
          const text = [...old, ...lines].join(end) + (last ? end : "");
          const written = writeVmxMasks(text, after);
          expect(asMeaning(readVmxMasks(written))).toEqual(asMeaning(after));
          const others = (whole: string) =>
            whole.split(/\r?\n/).filter((line) => line !== "" && !/cpuid\.|feat|hv\.|vt\./i.test(line));
          expect(others(written)).toEqual(others(text));
          expect(writeVmxMasks(written, after)).toBe(written);
        },
      ),
    );
  });
});

describe("masks quoted from vSphere", () => {
  test("each mode's registers show the features of the mode and no other", () => {
    for (const mode of collectedModes) {
      const entries = Object.entries(mode.registers).map(
        ([place, bits]) => [`cpuid.${place.slice(2)}`, bits] as const,
      );
      const layer = layerOf(parseMasks(entries), null);
      const shown = applyMasks(layer, null).flatMap(({ character, feature }) =>
        character === "1" ? [feature?.vmware ?? "unnamed"] : [],
      );
      const wanted = mode.features.filter((name) => vmwareFeature(name) !== undefined);
      expect([mode.key, shown.sort()]).toEqual([mode.key, [...new Set(wanted)].sort()]);
    }
    expect(collectedModes.length).toBeGreaterThan(20);
  });

  test("the complete feature masks of three modes are read, kept, and ask a host for just their features", () => {
    const quoted = collectedModes.filter(({ featureMask }) => featureMask !== undefined);
    expect(quoted.map(({ key }) => key)).toEqual(["intel-merom", "intel-westmere", "intel-sandybridge"]);
    for (const mode of quoted) {
      const entries = Object.entries(mode.featureMask ?? {});
      const some = parseMasks(entries.map(([name, value]) => [`featMask.vm.${name}`, value] as const));
      expect(some.features).toHaveLength(entries.length);
      expect(readVmxMasks(writeVmxMasks("", some))).toEqual(some);
      const layer = layerOf({ ...some, complete: true }, "intel");
      const tested = applyMasks(layer, null).flatMap(({ character, feature }) =>
        character === "T" ? [feature?.name ?? ""] : [],
      );
      const modeFeatures = mode.features.flatMap((name) => vmwareFeature(name)?.name ?? []);
      expect(tested).toEqual(expect.arrayContaining(modeFeatures));
      const beyond = tested.filter((name) => !modeFeatures.includes(name));
      const allowed = ["vmx", "spec-ctrl", "stibp", "flush-l1d", "ssbd", "md-clear"];
      expect(beyond.filter((name) => !allowed.includes(name))).toEqual([]);
      const host: Cpu = { ...cpuWith(...tested), model: 0x55, stepping: 4, label: "newer" };
      expect(powerOnFindings(layer, some, host)).toEqual([]);
    }
  });
});

const character = fc.constantFrom<MaskCharacter>("0", "1", "H", "R", "T", "F", "X", "-", "-", "-");
const bits32 = fc.array(character, { minLength: 32, maxLength: 32 });
const place = fc.record({
  leaf: fc.constantFrom(0, 1, 7, 0xd, 0x80000001, 0x80000008),
  subleaf: fc.constantFrom(0, 1),
  register: fc.constantFrom("eax" as const, "ebx" as const, "ecx" as const, "edx" as const),
});
const someLayer: fc.Arbitrary<MaskLayer> = fc
  .array(fc.tuple(place, bits32), { maxLength: 4 })
  .map(
    (registers) =>
      new Map(
        registers.map(([{ leaf, subleaf, register: name }, bits]) => [
          `${leaf.toString(16)}.${String(subleaf)}.${name}`,
          bits,
        ]),
      ),
  );
const someMasks: fc.Arbitrary<Masks> = fc.record({
  registers: fc.uniqueArray(
    fc
      .tuple(place, fc.constantFrom(null, "intel" as const, "amd" as const), bits32)
      .map(([where, vendor, bits]) => ({ ...where, vendor, bits })),
    { maxLength: 5, selector: ({ bits: _, ...key }) => JSON.stringify(key) },
  ),
  features: fc.uniqueArray(
    fc.record({
      name: fc.constantFrom("cpuid.AES", "cpuid.SSE41", "cpuid.x2APIC", "cpuid.IBRS", "cpuid.AMD"),
      rule: fc.constantFrom("Val" as const, "Min" as const, "Max" as const),
      value: fc.constantFrom(0, 1),
    }),
    { maxLength: 4, selector: ({ name }) => name },
  ),
  requirements: fc.uniqueArray(
    fc.record({
      name: fc.constantFrom("cpuid.FAMILY", "cpuid.NUMLEVELS", "hv.capable", "cpuid.SOMETHING_NEW"),
      kind: fc.constantFrom("Num" as const, null),
      rule: fc.constantFrom("Min" as const, "Match" as const),
      value: fc.nat(0xffffffff),
    }),
    { maxLength: 3, selector: ({ name }) => name },
  ),
  complete: fc.boolean(),
});

/** Without the order, in which the lines of a file may differ. */
const asMeaning = (some: Masks) =>
  new Map(maskEntries(some).map(([key, value]) => [key.toLowerCase(), value]));

const movbeOf = (layer: MaskLayer, host: Cpu) =>
  applyMasks(layer, host).find(
    ({ place: at, bit }) => at.leaf === 1 && at.register === "ecx" && bit === movbe,
  );

const placeText = (place: RegisterPlace, bit: number): string => placeOf({ ...place, bit });

function outcomeOf(read: () => unknown): string {
  try {
    read();
    return "read";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}
