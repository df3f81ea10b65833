/**
 * The raw dumps of libcpuid: a fixed range of leaves as `basic_cpuid[n]=` and `ext_cpuid[n]=`, and some subleaves
 * as `intel_fn4[n]=` and the like; a heading for each logical CPU or none. Its test files are such a dump, or an
 * AIDA64 text, and after a line of 80 dashes what was once decoded from it: that part is not read.
 */
import { isAida64Line, readAida64 } from "./aida64.ts";
import { broken, quoted, type FileName } from "./broken.ts";
import { Dump, type Dumped } from "./dump.ts";

const heading = /^_+ Logical CPU #(\d{1,6}) _+\s*$/;
const begins = /^(?:basic_cpuid|ext_cpuid|intel_fn\w{1,8}|amd_fn\w{1,16})\s*\[/;
const leafLine =
  /^(basic_cpuid|ext_cpuid|intel_fn([0-9a-f]{1,8})(h?)|amd_fn([0-9a-f]{1,8})h)\[(\d{1,4})\]=([0-9a-f]{8}) ([0-9a-f]{8}) ([0-9a-f]{8}) ([0-9a-f]{8})\s*$/i;
const dashes = /^-{80}\s*$/;

/** Whether a line is one that only this format has. */
export const isLibcpuidLine = (line: string): boolean => begins.test(line);

/** Whether a line divides a dump from what libcpuid decoded from it. */
export const isLibcpuidDivider = (line: string): boolean => dashes.test(line);

/** @throws CPU_FILE_BROKEN, CPU_FILE_TOO_LARGE */
export function readLibcpuid(lines: readonly string[], file: FileName): Dumped {
  const end = lines.findIndex(isLibcpuidDivider);
  const raw = end === -1 ? lines : lines.slice(0, end);
  if (!raw.some(isLibcpuidLine) && raw.some(isAida64Line)) return readAida64(raw, file);
  const dump = new Dump(file);
  raw.forEach((text, index) => {
    const cpu = heading.exec(text)?.[1];
    if (cpu !== undefined) dump.heading(Number(cpu));
    if (begins.test(text)) addLeaf(dump, file, index + 1, text);
  });
  return dump.finish(raw.length, true);
}

function addLeaf(dump: Dump, file: FileName, line: number, text: string): void {
  const match = leafLine.exec(text);
  if (match === null) {
    throw broken(
      file,
      line,
      `four registers of eight hexadecimal digits were expected, like "basic_cpuid[0]=0000000d 756e6547 6c65746e 49656e69", and ${quoted(text)} is there`,
    );
  }
  const [, table = "", intel, inHex, amd, number = "", ...digits] = match;
  const [eax = 0, ebx = 0, ecx = 0, edx = 0] = digits.map((word) => Number.parseInt(word, 16));
  const index = Number(number);
  if (table === "basic_cpuid") dump.leaf(line, index, 0, [eax, ebx, ecx, edx]);
  else if (table === "ext_cpuid") dump.leaf(line, 0x80000000 + index, 0, [eax, ebx, ecx, edx]);
  else {
    const leaf =
      amd === undefined ? Number.parseInt(intel ?? "", inHex === "" ? 10 : 16) : Number.parseInt(amd, 16);
    // The subleaf that the fixed range has told already, read a second time and maybe on another CPU.
    if (index > 0 || !dump.tells(leaf)) dump.leaf(line, leaf, index, [eax, ebx, ecx, edx]);
  }
}
