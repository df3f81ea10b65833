/**
 * What `cpuid -r` of Todd Allen prints (`-1`: of one logical CPU): `0x00000001 0x00: eax=0x… ebx=0x… ecx=0x…
 * edx=0x…`, after `CPU:` or `CPU 0:`. Our boot image prints the same, its report before it and MSRs after it.
 */
import { broken, quoted, type FileName } from "./broken.ts";
import { Dump, type Dumped } from "./dump.ts";
import { msrIn } from "./msr-line.ts";

const heading = /^\s*CPU(?: (\d{1,6}))?:\s*$/;
/** Also where a line was cut in its middle. */
const leafBegins = /^\s*0x[0-9a-f]{1,8}(?: 0x[0-9a-f]{0,8})?(?::.*)?$/i;
const leafLine =
  /^\s*0x([0-9a-f]{1,8})(?: 0x([0-9a-f]{1,8}))?: eax=0x([0-9a-f]{8}) ebx=0x([0-9a-f]{8}) ecx=0x([0-9a-f]{8}) edx=0x([0-9a-f]{8})\s*$/i;

/** Whether a line is one that only this format has. */
export const isCpuidRawLine = (line: string): boolean =>
  /^\s*0x[0-9a-f]{8}(?: 0x[0-9a-f]{1,8})?: eax=/i.test(line);

/** @throws CPU_FILE_BROKEN, CPU_FILE_TOO_LARGE */
export function readCpuidRaw(lines: readonly string[], file: FileName): Dumped {
  const dump = new Dump(file);
  lines.forEach((text, index) => {
    const number = heading.exec(text)?.[1];
    if (number !== undefined) dump.heading(Number(number));
    const msr = msrIn(text);
    if (msr !== null) dump.msr(null, msr);
    if (!leafBegins.test(text)) return;
    const match = leafLine.exec(text);
    if (match === null) {
      throw broken(
        file,
        index + 1,
        `a leaf and four registers were expected, like "0x00000000 0x00: eax=0x0000000d ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69", and ${quoted(text)} is there`,
      );
    }
    const [leaf, subleaf, eax, ebx, ecx, edx] = match.slice(1).map((digits) => Number.parseInt(digits, 16));
    dump.leaf(index + 1, leaf ?? 0, match[2] === undefined ? null : (subleaf ?? 0), [
      eax ?? 0,
      ebx ?? 0,
      ecx ?? 0,
      edx ?? 0,
    ]);
  });
  return dump.finish(lines.length);
}
