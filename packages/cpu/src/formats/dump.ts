/**
 * What a dump says of each logical CPU, gathered line by line. It refuses what contradicts itself: two different
 * answers of one CPU to one question, leaves beyond the highest that the CPU announced, a first CPU that ends
 * in its middle. A later CPU that is cut only gets a note, for the first one says what the machine is.
 */
import { GodwitError } from "@godwit/contract";
import {
  basicLeaves,
  bitOf,
  extendedLeaves,
  hex32,
  highestBasicLeaf,
  leafOf,
  vendorOf,
  type CpuidLeaf,
  type LogicalCpu,
  type MsrValue,
} from "../cpuid/leaves.ts";
import { broken, type FileName } from "./broken.ts";

const most = { cpus: 8192, leaves: 512, msrs: 4096 } as const;

export type Registers = readonly [eax: number, ebx: number, ecx: number, edx: number];

export interface Dumped {
  readonly cpus: readonly LogicalCpu[];
  readonly notes: readonly string[];
}

interface Said {
  readonly leaf: CpuidLeaf;
  readonly line: number;
}

interface DumpedCpu {
  readonly id: number | null;
  /** By leaf and subleaf. */
  readonly said: Map<string, Said>;
  /** The subleaves of each leaf, as they came. */
  readonly subleaves: Map<number, CpuidLeaf[]>;
  readonly msrs: Map<number, MsrValue>;
}

export class Dump {
  readonly #file: FileName;
  readonly #cpus: DumpedCpu[] = [];
  readonly #byId = new Map<number, DumpedCpu>();
  #heading: number | null = null;
  #current: DumpedCpu | null = null;

  constructor(file: FileName) {
    this.#file = file;
  }

  /** What follows is said by this CPU, until the next heading. */
  heading(id: number): void {
    this.#heading = id;
    this.#current = null;
  }

  /**
   * @param subleaf null where the dump does not number them: they are counted as they come
   * @throws CPU_FILE_BROKEN when the same CPU has answered otherwise before; CPU_FILE_TOO_LARGE
   */
  leaf(line: number, leaf: number, subleaf: number | null, [eax, ebx, ecx, edx]: Registers): void {
    // Without headings, a CPU begins where leaf 0 comes again.
    const begins = leaf === 0 && this.#heading === null && this.#current?.subleaves.has(0) === true;
    if (this.#current === null || begins) this.#current = this.#begin();
    const { said, subleaves } = this.#current;
    const given = subleaves.get(leaf) ?? [];
    const number = subleaf ?? (withoutSubleaves.has(leaf) ? 0 : impliedSubleaf(given, eax));
    const answer = { leaf, subleaf: number, eax, ebx, ecx, edx };
    const key = `${String(leaf)}.${String(number)}`;
    const before = said.get(key);
    if (before !== undefined && !sameAnswer(before.leaf, answer))
      throw this.#contradiction(before, answer, line);
    if (before !== undefined) return;
    if (said.size >= most.leaves) throw this.#tooLarge("leaves of one CPU", most.leaves);
    said.set(key, { leaf: answer, line });
    if (given.length === 0) subleaves.set(leaf, given);
    given.push(answer);
  }

  /** Whether the current CPU has told any subleaf of this leaf. */
  tells(leaf: number): boolean {
    return this.#current?.subleaves.has(leaf) ?? false;
  }

  /** @param id null: of the first CPU. The first value counts: many registers change while they are read. */
  msr(id: number | null, value: MsrValue): void {
    const cpu = id === null ? this.#cpus[0] : this.#byId.get(id);
    if (cpu === undefined || cpu.msrs.has(value.msr)) return;
    if (cpu.msrs.size >= most.msrs) throw this.#tooLarge("MSRs of one CPU", most.msrs);
    cpu.msrs.set(value.msr, value);
  }

  /**
   * @param lastLine of the file
   * @param fixedRange the tool asks every CPU for the same leaves, whether these exist or not
   * @throws CPU_FILE_BROKEN
   */
  finish(lastLine: number, fixedRange = false): Dumped {
    const [first, ...others] = this.#cpus.filter((cpu) => !this.#repeats(cpu));
    if (first === undefined) throw broken(this.#file, lastLine, "a CPUID leaf was expected up to here");
    const cpus = [this.#checked(first, fixedRange)];
    const gap = gapOf(cpus[0]?.leaves ?? []);
    if (gap?.fatal === true) throw broken(this.#file, lastLineOf(first), gap.words);
    const cut: string[] = [];
    others.forEach((other, index) => {
      const cpu = this.#checked(other, fixedRange);
      if (gapOf(cpu.leaves)?.fatal === true) cut.push(String(other.id ?? index + 1));
      else cpus.push(cpu);
    });
    const notes = [
      ...(gap === null ? [] : [`The dump is incomplete: ${gap.words}.`]),
      ...(cut.length === 0
        ? []
        : [`The dump is cut short in logical CPU ${shortList(cut)}, which is left out.`]),
    ];
    return { cpus, notes };
  }

  #begin(): DumpedCpu {
    if (this.#cpus.length >= most.cpus) throw this.#tooLarge("logical CPUs", most.cpus);
    const id = this.#heading;
    const cpu: DumpedCpu = { id, said: new Map(), subleaves: new Map(), msrs: new Map() };
    this.#cpus.push(cpu);
    if (id !== null && !this.#byId.has(id)) this.#byId.set(id, cpu);
    return cpu;
  }

  /**
   * Whether an earlier CPU has the same number and is the same; with another APIC id the number is a slip.
   * @throws CPU_FILE_BROKEN when it is the same and answers otherwise
   */
  #repeats(cpu: DumpedCpu): boolean {
    const earlier = cpu.id === null ? undefined : this.#byId.get(cpu.id);
    if (earlier === undefined || earlier === cpu || apicIdOf(earlier) !== apicIdOf(cpu)) return false;
    for (const [key, { leaf, line }] of cpu.said) {
      const before = earlier.said.get(key);
      if (before !== undefined && !sameAnswer(before.leaf, leaf))
        throw this.#contradiction(before, leaf, line);
    }
    return true;
  }

  #contradiction(before: Said, answer: CpuidLeaf, line: number): GodwitError {
    const here = `${leafWords(answer)} is ${registerWords(answer)} here`;
    const there = `${registerWords(before.leaf)} at line ${String(before.line)}`;
    return broken(this.#file, line, `${here} and ${there}, for the same logical CPU`);
  }

  /** Without the answers to questions that the CPU does not know. */
  #checked(cpu: DumpedCpu, fixedRange: boolean): LogicalCpu {
    const said = [...cpu.said.values()];
    this.#checkFirstLeaf(said[0]);
    const highest = {
      basic: cpu.subleaves.get(0)?.[0]?.eax,
      extended: cpu.subleaves.get(extendedLeaves.first)?.[0]?.eax,
    };
    // Intel's CPUs answer a question beyond the highest leaf as if it were the highest one of the basic range.
    const repeated = new Set((cpu.subleaves.get(highest.basic ?? -1) ?? []).map(registerWords));
    const leaves = said.flatMap(({ leaf, line }) => {
      const limit = isBasic(leaf) ? highest.basic : isExtended(leaf) ? highest.extended : undefined;
      if (limit === undefined || leaf.leaf <= limit || leaf.leaf === extendedLeaves.first) return [leaf];
      if (fixedRange || isEmpty(leaf) || repeated.has(registerWords(leaf))) return [];
      const words = `${leafWords(leaf)} has content, but the CPU announces leaves up to ${hex32(limit)} only`;
      throw broken(this.#file, line, words);
    });
    return {
      id: cpu.id,
      leaves: leaves.sort((a, b) => a.leaf - b.leaf || a.subleaf - b.subleaf),
      msrs: [...cpu.msrs.values()].sort((a, b) => a.msr - b.msr),
    };
  }

  /** @throws CPU_FILE_BROKEN when it is none: registers in the wrong order, or numbers that are not CPUID's */
  #checkFirstLeaf(first: Said | undefined): void {
    if (first?.leaf.leaf !== 0) return;
    const { leaf, line } = first;
    if (leaf.eax > basicLeaves.last) {
      throw broken(this.#file, line, `leaf 0 announces leaves up to ${hex32(leaf.eax)}, which no CPU has`);
    }
    if (vendorOf(leaf) === null) {
      throw broken(this.#file, line, `leaf 0 (${registerWords(leaf)}) does not spell a vendor`);
    }
  }

  #tooLarge(what: string, limit: number): GodwitError {
    return GodwitError.of("CPU_FILE_TOO_LARGE", { source: this.#file.label, what, most: limit });
  }
}

const withoutSubleaves: ReadonlySet<number> = new Set([
  ...[0, 1, 2, 3, 5, 6, 9, 0xa, 0x15, 0x16, 0x19],
  ...Array.from({ length: 0x1d }, (_, index) => 0x80000000 + index),
]);

/**
 * The number of an unnumbered subleaf: the next. Leaves that name their subleaves in a bit map are printed
 * without the empty ones: there it is the next bit that is set.
 */
function impliedSubleaf(given: readonly CpuidLeaf[], eax: number): number {
  const [first] = given;
  if (first === undefined) return 0;
  const next = (given.at(-1)?.subleaf ?? 0) + 1;
  if (first.leaf === 0xd) {
    // Subleaf 1 holds flags in its lowest bits; the others hold a size there, a multiple of eight.
    if (next === 1 && (eax & 7) !== 0) return 1;
    const supervisor = given.find((one) => one.subleaf === 1)?.ecx ?? 0;
    return nextBit(first.eax | supervisor, Math.max(next, 2)) ?? nextBit(first.edx, 0, 32) ?? next;
  }
  if (first.leaf === 0x10) return nextBit(first.ebx, next) ?? next;
  return next;
}

/** The number of the first set bit from `from` on, plus `offset`. */
function nextBit(map: number, from: number, offset = 0): number | null {
  for (let bit = from; bit < 32; bit += 1) if (((map >>> bit) & 1) === 1) return bit + offset;
  return null;
}

/** Leaf 0xD's EBX follows what the system has switched on just then. */
const sameAnswer = (a: CpuidLeaf, b: CpuidLeaf): boolean =>
  a.eax === b.eax && (a.ebx === b.ebx || a.leaf === 0xd) && a.ecx === b.ecx && a.edx === b.edx;

/** Undefined where leaf 1 is not told. */
const apicIdOf = (cpu: DumpedCpu): number | undefined => {
  const ebx = cpu.said.get("1.0")?.leaf.ebx;
  return ebx === undefined ? undefined : ebx >>> 24;
};

const isEmpty = ({ eax, ebx, ecx, edx }: CpuidLeaf): boolean => (eax | ebx | ecx | edx) === 0;

const isBasic = ({ leaf }: CpuidLeaf): boolean => leaf <= basicLeaves.last;

const isExtended = ({ leaf }: CpuidLeaf): boolean =>
  leaf >= extendedLeaves.first && leaf <= extendedLeaves.last;

/** What is missing from a CPU's leaves; `fatal`: what is left would mislead. */
function gapOf(leaves: readonly CpuidLeaf[]): { words: string; fatal: boolean } | null {
  const first = leafOf(leaves, 0);
  if (first === undefined) return fatal("leaf 0, which tells the vendor, was expected and is not there");
  const highest = highestBasicLeaf(first.eax);
  const signature = leafOf(leaves, 1);
  if (highest >= 1 && signature === undefined)
    return fatal("leaf 1, which tells family and model, was expected and is not there");
  const extended = leafOf(leaves, extendedLeaves.first);
  const last = hex32(Math.max(...leaves.filter(isBasic).map((one) => one.leaf)));
  if (extended === undefined) {
    if (Number(last) < highest)
      return fatal(`it ends with leaf ${last}, but leaf 0 announces leaves up to ${hex32(highest)}`);
    // Every CPU with SSE2 has extended leaves.
    if (signature !== undefined && bitOf(signature.edx, 26))
      return fatal(
        `it ends with leaf ${last}; the extended leaves, from 0x80000000 on, were expected after it`,
      );
    return null;
  }
  const lastExtended = Math.max(...leaves.filter(isExtended).map((one) => one.leaf));
  if (lastExtended >= extended.eax) return null;
  const words = `it ends with leaf ${hex32(lastExtended)}, but leaf 0x80000000 announces leaves up to ${hex32(extended.eax)}`;
  return { words, fatal: lastExtended === extendedLeaves.first };
}

const fatal = (words: string): { words: string; fatal: true } => ({ words, fatal: true });

const lastLineOf = (cpu: DumpedCpu): number => Math.max(...[...cpu.said.values()].map((one) => one.line));

const leafWords = ({ leaf, subleaf }: CpuidLeaf): string =>
  `leaf ${hex32(leaf)}${subleaf > 0 ? ` subleaf ${String(subleaf)}` : ""}`;

const registerWords = ({ eax, ebx, ecx, edx }: CpuidLeaf): string =>
  [eax, ebx, ecx, edx].map(hex32).join(" ");

const shortList = (ids: readonly string[]): string =>
  ids.length > 8 ? `${ids.slice(0, 8).join(", ")} and ${String(ids.length - 8)} more` : ids.join(", ");
