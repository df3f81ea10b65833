/** Small files of /sys. Read at once, not by the thread pool, which storage that hangs may fill. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Null: there is no such file, or its device does not answer. */
export function textOf(folder: string, name: string): string | null {
  try {
    return readFileSync(join(folder, name), "utf8").trim();
  } catch {
    return null;
  }
}

/** Null: as above, or it is no number. */
export function numberOf(folder: string, name: string): number | null {
  const text = textOf(folder, name);
  return text !== null && /^-?\d+$/.test(text) ? Number(text) : null;
}

/** Empty where there is no such folder. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
