/** What `x86info -r` prints: `eax in: 0x00000001, eax = 000306a9 ebx = … ecx = … edx = …`, leaves without subleaves. */
import { broken, quoted, type FileName } from "./broken.ts";
import { Dump, type Dumped } from "./dump.ts";

const begins = /^\s*eax in: 0x/i;
const leafLine =
  /^\s*eax in: 0x([0-9a-f]{8}), eax = ([0-9a-f]{8}) ebx = ([0-9a-f]{8}) ecx = ([0-9a-f]{8}) edx = ([0-9a-f]{8})\s*$/i;

/** Whether a line is one that only this format has. */
export const isX86infoLine = (line: string): boolean => begins.test(line);

/** @throws CPU_FILE_BROKEN, CPU_FILE_TOO_LARGE */
export function readX86info(lines: readonly string[], file: FileName): Dumped {
  const dump = new Dump(file);
  lines.forEach((text, index) => {
    if (!begins.test(text)) return;
    const words = leafLine.exec(text)?.slice(1);
    if (words === undefined) {
      throw broken(
        file,
        index + 1,
        `a leaf and four registers were expected, like "eax in: 0x00000000, eax = 0000000d ebx = 756e6547 ecx = 6c65746e edx = 49656e69", and ${quoted(text)} is there`,
      );
    }
    const [leaf = 0, eax = 0, ebx = 0, ecx = 0, edx = 0] = words.map((word) => Number.parseInt(word, 16));
    dump.leaf(index + 1, leaf, 0, [eax, ebx, ecx, edx]);
  });
  return dump.finish(lines.length);
}
