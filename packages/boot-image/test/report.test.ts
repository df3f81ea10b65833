/**
 * The image's program against the report that it must equal: the same CPUID words through Perl and the rules,
 * and through `readCpuSource`, `reportOf` and `reportText`. Without an image; Perl is part of every Debian.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  evcModeNamed,
  featureNamed,
  features,
  readCpuSource,
  reportOf,
  reportText,
  type CpuFeature,
  type CpuidLeaf,
  type CpuSource,
  type LogicalCpu,
} from "@godwit/cpu";
import { run } from "@godwit/system";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { instlatx64Dumps, isWiderRun, libcpuidDumps, textOf } from "../../cpu/test/collection.ts";
import { imageSource, rulesText } from "../src/rules.ts";

const guest = new URL("../src/guest/", import.meta.url).pathname;
const program = new URL("report.pl", import.meta.url).pathname;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-rules-"));
  await writeFile(join(folder, "rules"), rulesText());
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const end = "=== end of report ===\n";

/** The image's reports of many machines, in one run of its program. */
async function imageReports(machines: readonly string[]): Promise<string[]> {
  const { stdout } = await run("perl", ["-I", guest, program, join(folder, "rules")], {
    what: "reporting by the image's program",
    input: machines.map((dump) => `${dump}${end}`).join(""),
    timeoutMs: 120_000,
  });
  return `${stdout}\n`.split(end).slice(0, -1);
}

const ownReport = (dump: string): string => reportText(reportOf(readCpuSource(dump, imageSource)));

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");

/** As the image prints what it has read. */
function dumpOf(cpus: readonly LogicalCpu[]): string {
  const lines = cpus.flatMap(({ id, leaves }, index) => [
    `CPU ${String(id ?? index)}:`,
    ...leaves.map(({ leaf, subleaf, ...words }) => {
      const registers = Object.entries(words).map(([name, value]) => `${name}=0x${hex(value, 8)}`);
      return `   0x${hex(leaf, 8)} 0x${hex(subleaf, 2)}: ${registers.join(" ")}`;
    }),
  ]);
  const msrs = (cpus[0]?.msrs ?? []).flatMap(({ msr, value }) => {
    const words = value
      ?.toString(16)
      .toUpperCase()
      .padStart(16, "0")
      .replace(/(.{4})(?=.)/g, "$1-");
    return words === undefined ? [] : [`MSR ${hex(msr, 8).toUpperCase()}: ${words}`];
  });
  return [...lines, ...msrs].map((line) => `${line}\n`).join("");
}

const word = fc.oneof(fc.nat(0xffffffff), fc.constant(0), fc.constant(0xffffffff));
const textWord = fc
  .array(fc.constantFrom(...Array.from("Opteron Turion{vendor}\0\u00e9(R)")), { minLength: 4, maxLength: 4 })
  .map((letters) => letters.reduce((sum, letter, index) => sum + letter.charCodeAt(0) * 256 ** index, 0));
const vendorWords = {
  intel: { ebx: 0x756e6547, ecx: 0x6c65746e, edx: 0x49656e69 },
  amd: { ebx: 0x68747541, ecx: 0x444d4163, edx: 0x69746e65 },
  hygon: { ebx: 0x6f677948, ecx: 0x656e6975, edx: 0x6e65476e },
  centaur: { ebx: 0x746e6543, ecx: 0x736c7561, edx: 0x48727561 },
};
const basicPlaces = [
  ...new Set(features.map(({ leaf, subleaf }) => `${String(leaf)}.${String(subleaf)}`)),
].map((place) => place.split(".").map(Number) as [number, number]);

/** A CPU as it may well not exist: every named bit at random. */
const anyCpu = fc
  .record({
    vendor: fc.constantFrom(...Object.values(vendorWords)),
    signature: fc.oneof(
      word,
      fc.constantFrom(0x106e5, 0x306c3, 0x10f12, 0x800f11, 0x20f51, 0x10673, 0x50654),
    ),
    virtual: fc.boolean(),
    words: fc.array(fc.tuple(word, word, word, word), {
      minLength: basicPlaces.length,
      maxLength: basicPlaces.length,
    }),
    brand: fc.array(fc.tuple(textWord, textWord, textWord, textWord), { minLength: 3, maxLength: 3 }),
    hypervisor: fc.option(fc.tuple(textWord, textWord, textWord)),
    msrs: fc.record({
      0x3a: fc.option(fc.bigInt(0n, 7n)),
      0xce: fc.option(fc.bigInt(0n, 2n ** 33n)),
      0xc0011004: fc.option(fc.constant(1n)),
    }),
  })
  .map(({ vendor, signature, virtual, words, brand, hypervisor, msrs }): LogicalCpu => {
    const ending = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    const leaves = basicPlaces.map(([leaf, subleaf], index) => {
      const [eax = 0, ebx = 0, ecx = 0, edx = 0] = words[index] ?? [];
      return { leaf, subleaf, eax, ebx, ecx, edx };
    });
    for (const leaf of leaves) {
      if (leaf.leaf === 1)
        Object.assign(leaf, {
          eax: signature,
          ecx: ((leaf.ecx & 0x7bffffff) | (1 << 26) | (virtual ? 1 << 31 : 0)) >>> 0,
        });
      if (leaf.leaf === 7 && leaf.subleaf === 0) leaf.eax = 2;
      if (leaf.leaf === 0x1e && leaf.subleaf === 0) leaf.eax = 1;
      // What the image reads is read in long mode, where SYSCALL shows; and SVM has its leaf.
      if (leaf.leaf === 0x80000001)
        Object.assign(leaf, { ecx: (leaf.ecx | 4) >>> 0, edx: (leaf.edx | 0x800) >>> 0 });
    }
    const texts = brand.map(([eax, ebx, ecx, edx], index) => ({
      leaf: 0x80000002 + index,
      subleaf: 0,
      eax,
      ebx,
      ecx,
      edx,
    }));
    const [ebx, ecx, edx] = hypervisor ?? [0, 0, 0];
    return {
      id: null,
      leaves: [
        { leaf: 0, subleaf: 0, eax: 0x24, ...vendor },
        ...leaves.filter(({ leaf }) => leaf < 0x80000000),
        ...(virtual && hypervisor !== null
          ? [{ leaf: 0x40000000, subleaf: 0, eax: 0x40000000, ebx, ecx, edx }]
          : []),
        { ...ending, leaf: 0x80000000, subleaf: 0, eax: 0x80000026 },
        ...leaves.filter(({ leaf }) => leaf >= 0x80000000),
        ...texts,
        { ...ending, leaf: 0x80000026, subleaf: 0 },
      ],
      msrs: Object.entries(msrs).map(([msr, value]) => ({ msr: Number(msr), value })),
    };
  });

/** The leaf with a feature's bit changed. */
const withChanged = (leaf: CpuidLeaf, { register, bit, ...place }: CpuFeature): CpuidLeaf =>
  leaf.leaf === place.leaf && leaf.subleaf === place.subleaf
    ? { ...leaf, [register]: (leaf[register] ^ (1 << bit)) >>> 0 }
    : leaf;

/** One kind of CPU, and others that differ from it in a few bits. */
const anyMachine = fc
  .tuple(anyCpu, fc.array(fc.tuple(fc.constantFrom(...features), fc.boolean()), { maxLength: 6 }))
  .map(([first, others]) =>
    dumpOf([
      first,
      ...others.map(([feature, changes]) => ({
        ...first,
        msrs: [],
        leaves: changes ? first.leaves.map((leaf) => withChanged(leaf, feature)) : first.leaves,
      })),
    ]),
  );

/** A CPU that has just these features. */
function cpuWith(id: number, names: readonly string[]): LogicalCpu {
  const none = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
  const leaves: CpuidLeaf[] = [
    { leaf: 0, subleaf: 0, eax: 0xd, ...vendorWords.intel },
    ...basicPlaces.map(([leaf, subleaf]) => ({ leaf, subleaf, ...none })),
    { ...none, leaf: 0x80000000, subleaf: 0, eax: 0x80000008 },
  ];
  const wanted = names.flatMap((name) => featureNamed(name) ?? []);
  return { id, leaves: leaves.map((leaf) => wanted.reduce(withChanged, leaf)), msrs: [] };
}

test("what one logical CPU lacks, the machine lacks", async () => {
  const westmere = [...new Set([...evcModeNamed("intel-westmere").features, "lm", "syscall", "vmx"])];
  const without = (...missing: string[]): string[] => westmere.filter((name) => !missing.includes(name));
  const machines = [
    dumpOf([cpuWith(0, westmere), cpuWith(1, westmere)]),
    dumpOf([cpuWith(0, westmere), cpuWith(1, without("ds"))]),
    dumpOf([cpuWith(0, westmere), cpuWith(1, westmere), cpuWith(2, without("aes"))]),
    dumpOf([cpuWith(0, westmere), cpuWith(1, without("vmx"))]),
  ];
  const reports = await imageReports(machines);
  expect(reports).toEqual(machines.map(ownReport));
  const lines = (name: string) => reports.map((text) => new RegExp(`^${name} *: (.*)$`, "m").exec(text)?.[1]);
  const upToNehalem = "intel-merom, intel-penryn, intel-nehalem";
  expect(lines("Supported EVC modes")).toEqual([
    `${upToNehalem}, intel-westmere`,
    "None",
    upToNehalem,
    `${upToNehalem}, intel-westmere`,
  ]);
  expect(lines("Supports 64-bit VMware")).toEqual(["Unknown", "Unknown", "Unknown", "No"]);
});

/** How many invented machines: GODWIT_CPU_MACHINES=20000 for a longer look. */
const invented = Number(process.env.GODWIT_CPU_MACHINES ?? "150");
const atOnce = 250;

test("any CPUs' report is the one that their dump gives", { timeout: 300_000 + invented * 100 }, async () => {
  for (let done = 0; done < invented; done += atOnce) {
    const seed = Math.trunc(Math.random() * 2 ** 31);
    const numRuns = Math.min(atOnce, invented - done);
    const machines = fc.sample(anyMachine, { numRuns, seed });
    const reports = await imageReports(machines);
    expect(reports, `seed ${String(seed)}, ${String(numRuns)} runs`).toEqual(machines.map(ownReport));
  }
});

test("dumps of real CPUs give the same report in the image", { timeout: 300_000 }, async () => {
  const machines = [...instlatx64Dumps, ...libcpuidDumps].flatMap((dump) => {
    const source = sourceIn(textOf(dump), dump.name);
    return source !== null && startsTheImage(source) ? [dumpOf(source.cpus.map(asTheImageReads))] : [];
  });
  expect(machines.length).toBeGreaterThan(isWiderRun ? 250 : 35);
  expect(await imageReports(machines)).toEqual(machines.map(ownReport));
});

function sourceIn(text: string, label: string): CpuSource | null {
  try {
    const source = readCpuSource(text, label);
    return source.cpus.length === 0 || source.notes.length > 0 ? null : source;
  } catch {
    return null;
  }
}

/** The image's kernel needs long mode. */
const startsTheImage = ({ cpus }: CpuSource): boolean =>
  cpus.every(({ leaves }) => leaves.some(({ leaf, edx }) => leaf === 0x80000001 && ((edx >>> 29) & 1) === 1));

/** The dump's tool may have been a 32-bit program, or have left out leaves that the CPU has. */
function asTheImageReads(cpu: LogicalCpu): LogicalCpu {
  const leaves = cpu.leaves.map((leaf) =>
    leaf.leaf === 0x80000001 ? { ...leaf, edx: (leaf.edx | 0x800) >>> 0 } : leaf,
  );
  const highest = (base: number) => leaves.find(({ leaf }) => leaf === base)?.eax ?? 0;
  const missing = basicPlaces.filter(
    ([leaf, subleaf]) =>
      leaf <= highest(leaf < 0x80000000 ? 0 : 0x80000000) &&
      !leaves.some((one) => one.leaf === leaf && one.subleaf === subleaf),
  );
  return {
    ...cpu,
    leaves: [
      ...leaves,
      ...missing.map(([leaf, subleaf]) => ({ leaf, subleaf, eax: 0, ebx: 0, ecx: 0, edx: 0 })),
    ],
  };
}
