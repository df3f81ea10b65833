/**
 * A program under the lease of LVM's metadata may have waited for that longer than the agent that started it lived. So it looks at the
 * volume first, and does nothing to one that is not as it was seen: another of the same name has another UUID. Pure.
 */
import type { VolumeOnLun } from "./lvm.ts";

export const lookFields = "lv_uuid,lv_size,lv_tags";

/** What it prints of one that is not. */
export const changedMeanwhile = "the volume has been changed meanwhile";

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** As a line of a shell's. */
export const lineOf = (argv: readonly string[]): string => argv.map(quoted).join(" ");

/**
 * @param look prints the fields of the volume
 * @param lines of a shell's, done one after the other until one fails; the last is a program alone, which takes the shell's place: whoever ends
 *   the holder of the lease ends that
 */
export function checkedCommand(
  look: readonly string[],
  seen: VolumeOnLun,
  lines: readonly string[],
): string[] {
  const { uuid, sizeBytes, tags } = seen;
  const expected = [uuid, String(sizeBytes), ...(tags.length === 0 ? [] : [tags.join(",")])].join(" ");
  const script = [
    `has=$(${lineOf(look)})`,
    `[ "$(echo $has)" = ${quoted(expected)} ] || { echo "${changedMeanwhile}" >&2; exit 5; }`,
    ...lines.slice(0, -1),
    ...lines.slice(-1).map((line) => `exec ${line}`),
  ];
  return ["/bin/sh", "-efuc", script.join("\n")];
}
