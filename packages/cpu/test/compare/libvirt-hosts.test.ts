/**
 * The machines of libvirt's own tests: their registers, and how libvirt describes them as hosts. Whatever a
 * description leaves out, it never allows a move that the registers refuse.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import {
  compareCpus,
  cpuOf,
  readCpuSource,
  reportOf,
  satisfiedModes,
  type Cpu,
  type CpuidLeaf,
} from "../../src/index.ts";
import type { Verdict } from "../../src/index.ts";
import { testData } from "../collection.ts";

interface Machine {
  readonly name: string;
  readonly byRegisters: Cpu;
  readonly byLibvirt: Cpu;
}

/** Blocks of `KEYWORD VALUE` lines, each from `host` on; see the folder's README. */
const machines: readonly Machine[] = readFileSync(join(testData, "libvirt-hosts.txt"), "utf8")
  .split(/^(?=host )/m)
  .map((block) => {
    const lines = block.trim().split("\n");
    const valuesOf = (keyword: string): string[] =>
      lines.filter((line) => line.startsWith(`${keyword} `)).map((line) => line.slice(keyword.length + 1));
    const [name = ""] = valuesOf("host");
    const leaves = valuesOf("cpuid").map((line): CpuidLeaf => {
      const [place = "", ...words] = line.split(" ");
      const [leaf = 0, subleaf = 0] = place.split(".").map((number) => Number.parseInt(number, 16));
      const [eax = 0, ebx = 0, ecx = 0, edx = 0] = words.map((word) => Number.parseInt(word, 16));
      return { leaf, subleaf, eax, ebx, ecx, edx };
    });
    const msrs = valuesOf("msr").map((line) => {
      const [msr = "", value = ""] = line.split(" ");
      return { msr: Number.parseInt(msr, 16), value: BigInt(`0x${value}`) };
    });
    const [family = "", model = "", stepping = ""] = valuesOf("signature").at(0)?.split(" ") ?? [];
    const xml = [
      `<capabilities><host><cpu><arch>x86_64</arch><model>${valuesOf("model").join()}</model>`,
      ...valuesOf("vendor").map((vendor) => `<vendor>${vendor}</vendor>`),
      `<signature family='${family}' model='${model}' stepping='${stepping}'/>`,
      ...valuesOf("features").flatMap((list) => list.split(" ").map((one) => `<feature name='${one}'/>`)),
      "</cpu></host></capabilities>",
    ].join("\n");
    const cpus = [{ id: null, leaves, msrs }];
    const registers = { format: "cpuid-raw", label: name, cpus, named: null, notes: [] } as const;
    return {
      name,
      byRegisters: cpuOf(reportOf(registers)),
      byLibvirt: cpuOf(reportOf(readCpuSource(xml, name))),
    };
  });

/** How often registers and description say what, over all ordered pairs. */
const counts = new Map<string, number>();
const falseMay: string[] = [];
beforeAll(() => {
  for (const [index, a] of machines.entries()) {
    for (const b of machines.slice(index + 1)) {
      const truth = compareCpus(a.byRegisters, b.byRegisters);
      const told = compareCpus(a.byLibvirt, b.byLibvirt);
      count(truth.aToB.verdict, told.aToB.verdict, `${a.name} → ${b.name}`);
      count(truth.bToA.verdict, told.bToA.verdict, `${b.name} → ${a.name}`);
    }
  }
});

function count(truth: Verdict, told: Verdict, pair: string): void {
  const key = `${truth} told as ${told}`;
  counts.set(key, (counts.get(key) ?? 0) + 1);
  if (told === "may" && truth !== "may") falseMay.push(pair);
}

test("no description allows a move that the registers refuse", () => {
  expect(machines).toHaveLength(61);
  expect(falseMay).toEqual([]);
});

test("no description refuses a move that the registers allow: it is left open", () => {
  expect(counts.get("may told as may-not")).toBeUndefined();
});

test("nearly all refusals are known from the descriptions alone", () => {
  const known = counts.get("may-not told as may-not") ?? 0;
  const open = counts.get("may-not told as unknown") ?? 0;
  expect(known / (known + open)).toBeGreaterThan(0.99);
});

test("what a description says of a feature is what the registers say", () => {
  const wrong = machines.flatMap(({ name, byRegisters, byLibvirt }) => [
    ...[...byLibvirt.features]
      .filter((feature) => !byRegisters.features.has(feature) && !byRegisters.unknown.has(feature))
      .map((feature) => `${name}: +${feature}`),
    ...[...byRegisters.features]
      .filter((feature) => !byLibvirt.features.has(feature) && !byLibvirt.unknown.has(feature))
      .map((feature) => `${name}: -${feature}`),
  ]);
  expect(wrong).toEqual([]);
});

test("what a description says of model-specific registers is what these say", () => {
  const wrong = machines.flatMap(({ name, byRegisters, byLibvirt }) => {
    const [truth, told] = [byRegisters.msrFeatures, byLibvirt.msrFeatures].map((known) => ({
      has: known?.has ?? [],
      lacks: known?.lacks ?? [],
    }));
    return [
      ...(told?.has.filter((one) => truth?.lacks.includes(one)).map((one) => `${name}: +${one}`) ?? []),
      ...(told?.lacks.filter((one) => truth?.has.includes(one)).map((one) => `${name}: -${one}`) ?? []),
    ];
  });
  expect(wrong).toEqual([]);
  expect(machines.filter(({ byLibvirt }) => byLibvirt.msrFeatures !== undefined).length).toBeGreaterThan(5);
});

test("EVC modes are those that the registers satisfy", () => {
  for (const { name, byRegisters, byLibvirt } of machines) {
    const keysOf = (cpu: Cpu): string[] => satisfiedModes(cpu).map(({ key }) => key);
    expect(keysOf(byLibvirt), name).toEqual(keysOf(byRegisters));
  }
});
