/** What Godwit was tested on, as a table for the README, from the results that stories wrote. */
import { z } from "zod";

/** Of a story's result, what the table is made of; a story tells more. */
export const storyResultSchema = z.object({
  servers: z
    .array(
      z.object({
        name: z.string(),
        /** Like `12.11`. */
        debian: z.string(),
        kernel: z.string(),
        qemu: z.string(),
        accelerator: z.enum(["kvm", "tcg"]),
      }),
    )
    .min(1),
  /** Where VMs' disks lay, in words. */
  storage: z.array(z.string()).optional(),
});
export interface Tested {
  /** How to run it: `npm run package:story`. */
  story: string;
  result: z.infer<typeof storyResultSchema>;
}

const begin = "<!-- Written by npm run tested-on; do not edit. -->";
const end = "<!-- The end of what npm run tested-on writes. -->";
const accelerators = { kvm: "KVM", tcg: "TCG" } as const;

/** Alike servers of a story are one row. */
export function tableOf(tested: readonly Tested[]): string {
  const rows = tested.flatMap(({ story, result: { servers, storage = [] } }) =>
    servers.map(({ debian, kernel, qemu, accelerator }) => [
      ...[`Debian ${debian}`, kernel, qemu, accelerators[accelerator]],
      ...[storage.join(", "), `\`${story}\``],
    ]),
  );
  const all = [["system", "kernel", "QEMU", "guests run under", "storage", "by"], ...rows].map((row) =>
    row.map((cell) => cell.replaceAll("|", "\\|")),
  );
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const [head = [], ...others] = all;
  const lines = [line(head), line(widths.map((width) => "-".repeat(width))), ...others.map(line)];
  return [...new Set(lines)].join("\n");
}

/** @throws Error when the text has no place for the table */
export function withTable(readme: string, table: string): string {
  const [from, to] = [readme.indexOf(begin), readme.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`README.md has no lines ${begin} and ${end}`);
  return `${readme.slice(0, from + begin.length)}\n\n${table}\n\n${readme.slice(to)}`;
}
