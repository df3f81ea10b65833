/** How a reader of a format says that a file is broken. */
import { GodwitError } from "@godwit/contract";

/** Which file is being read: its label, and its format in words. */
export interface FileName {
  readonly label: string;
  readonly format: string;
}

/**
 * @param line counted from 1; null where the trouble has no line
 * @param problem what was expected and what is there; no full stop
 */
export const broken = (file: FileName, line: number | null, problem: string): GodwitError =>
  GodwitError.of("CPU_FILE_BROKEN", { source: file.label, format: file.format, line, problem });

/** A piece of the file in a sentence: short, in quotes, printable. */
export function quoted(text: string): string {
  // eslint-disable-next-line no-control-regex -- they are what must not reach a terminal
  const plain = text.trim().replace(/[\u0000-\u001f\u007f-\u009f]/g, "·");
  return `"${plain.length > 60 ? `${plain.slice(0, 57)}…` : plain}"`;
}

/** The lines of a text, without the white space that ends them. */
export function linesOf(text: string): string[] {
  const lines = text.split("\n").map((line) => line.trimEnd());
  if (lines.at(-1) === "") lines.pop();
  return lines;
}
