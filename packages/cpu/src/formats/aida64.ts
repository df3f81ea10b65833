/**
 * The text that AIDA64 (once EVEREST) and InstLatx64's collectors write: `CPUID leaf: eax-ebx-ecx-edx`, with a
 * colon or without, with dashes or spaces, with `[SL xx]` for the subleaf or in their order; a heading for each
 * logical CPU or none; then `MSR number: value` or `< FAILED >`. Everything else in it is prose.
 */
import { broken, quoted, type FileName } from "./broken.ts";
import { Dump, type Dumped, type Registers } from "./dump.ts";
import { msrIn } from "./msr-line.ts";

const leafBegins = /^\s*CPUID\s+([0-9a-f]+)(?![0-9a-z])(.*)$/i;
const leafContent = /^\s*:?\s*([0-9a-f]{8})[- ]([0-9a-f]{8})[- ]([0-9a-f]{8})[- ]([0-9a-f]{8})(?![0-9a-f-])/i;
const subleafNumber = /\[SL ([0-9a-f]{1,8})\]/i;
const cpuHeading =
  /^[-_\s]*(?:\[\s*)?(?:CPUID Registers \/ )?(?:Logical CPU #|CPU#|CPUID Registers \(CPU #)(\d{1,6})\b/i;
const msrHeading = /^[-_\s]*(?:\[\s*)?MSR Registers(?:(?: \/ Logical CPU #| \(CPU #)(\d{1,6})\b)?/i;

/** Whether a line is one that only this format has. */
export const isAida64Line = (line: string): boolean => leafBegins.test(line) || cpuHeading.test(line);

/** @throws CPU_FILE_BROKEN, CPU_FILE_TOO_LARGE */
export function readAida64(lines: readonly string[], file: FileName): Dumped {
  const dump = new Dump(file);
  let msrsOf: number | null = null;
  lines.forEach((text, index) => {
    const line = index + 1;
    const leaf = leafBegins.exec(text);
    if (leaf !== null) {
      addLeaf(dump, file, line, text, leaf);
      return;
    }
    const msr = msrIn(text);
    if (msr !== null) dump.msr(msrsOf, msr);
    const cpu = cpuHeading.exec(text)?.[1];
    if (cpu !== undefined) dump.heading(Number(cpu));
    const msrs = msrHeading.exec(text);
    if (msrs !== null) msrsOf = msrs[1] === undefined ? null : Number(msrs[1]);
  });
  return dump.finish(lines.length);
}

function addLeaf(dump: Dump, file: FileName, line: number, text: string, begin: RegExpExecArray): void {
  const [, number = "", rest = ""] = begin;
  const content = leafContent.exec(rest);
  if (number.length !== 8 || content === null) {
    throw broken(
      file,
      line,
      `a leaf and four registers of eight hexadecimal digits were expected, like "CPUID 00000000: 0000000D-756E6547-6C65746E-49656E69", and ${quoted(text)} is there`,
    );
  }
  const registers: Registers = [hex(content[1]), hex(content[2]), hex(content[3]), hex(content[4])];
  const subleaf = subleafNumber.exec(rest)?.[1];
  dump.leaf(line, hex(number), subleaf === undefined ? null : hex(subleaf), registers);
}

const hex = (digits = ""): number => Number.parseInt(digits, 16);
