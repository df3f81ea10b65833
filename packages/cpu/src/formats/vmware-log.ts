/**
 * A `vmware.log`: what a VMware product wrote of its host's CPU when a VM was powered on, as `hostCPUID level LEAF,
 * SUBLEAF: eax ebx ecx edx`, and of its model-specific registers, as `Common: MSR NUMBER = VALUE` where all of its CPUs
 * answer alike. What it wrote of the guest's CPU and of single cores is not read.
 */
import { broken, quoted, type FileName } from "./broken.ts";
import { Dump, type Dumped } from "./dump.ts";

const begins = /\bhostCPUID level\b/;
const leafLine =
  /\bhostCPUID level ([0-9a-f]{8}),\s+([0-9a-f]{1,8}): 0x([0-9a-f]{8}) 0x([0-9a-f]{8}) 0x([0-9a-f]{8}) 0x([0-9a-f]{8})\s*$/i;

const msrLine = /\bCommon: MSR\s+0x([0-9a-f]{1,8})\s*=\s*(?:0x)?([0-9a-f]{1,16})\s*$/i;

/** Whether a line is one that only this format has. */
export const isVmwareLogLine = (line: string): boolean => begins.test(line);

/** @throws CPU_FILE_BROKEN, CPU_FILE_TOO_LARGE */
export function readVmwareLog(lines: readonly string[], file: FileName): Dumped {
  const dump = new Dump(file);
  // A log that was appended to tells the host again: the last time counts.
  const last = lines.findLastIndex((line) => /\bhostCPUID level 00000000\b/.test(line));
  lines.forEach((text, index) => {
    if (index < last) return;
    const [, msr, value] = msrLine.exec(text) ?? [];
    if (msr !== undefined && value !== undefined)
      dump.msr(null, { msr: Number.parseInt(msr, 16), value: BigInt(`0x${value}`) });
    if (!begins.test(text)) return;
    const [leaf, subleaf, eax, ebx, ecx, edx] = (leafLine.exec(text)?.slice(1) ?? []).map((digits) =>
      Number.parseInt(digits, 16),
    );
    if (leaf === undefined || subleaf === undefined) {
      throw broken(
        file,
        index + 1,
        `four registers were expected after "hostCPUID level …:", and ${quoted(text.slice(text.search(begins)))} is there`,
      );
    }
    dump.leaf(index + 1, leaf, subleaf, [eax ?? 0, ebx ?? 0, ecx ?? 0, edx ?? 0]);
  });
  return dump.finish(lines.length);
}
