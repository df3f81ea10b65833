/** Files that the kernel makes when they are read. Read at once, not by the thread pool, which storage that hangs may fill. */
import { readFileSync } from "node:fs";

/** @throws what reading throws */
export const readProc = (path: string): string => readFileSync(`/proc/${path}`, "utf8");

/**
 * How long tasks waited for a resource, as the kernel's PSI tells it: percent of the last 60 s in which at least one
 * did. Null: this kernel does not tell.
 */
export function pressurePercent(resource: "cpu" | "memory"): number | null {
  let text: string;
  try {
    text = readProc(`pressure/${resource}`);
  } catch {
    return null; // the file is not there, or cannot be read while PSI is switched off (EOPNOTSUPP)
  }
  const figure = /^some .*\bavg60=([\d.]+)/m.exec(text)?.[1];
  return figure === undefined ? null : Number(figure);
}
