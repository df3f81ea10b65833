/**
 * Descriptors in reserve, for the few things that this program must be able to do when it has none left: others may
 * make it use them all up. They are taken with the first attempt, and given up for one that needs them.
 */
import { closeSync, openSync } from "node:fs";

const count = 4;
const reserve: number[] = [];

const isLack = (error: unknown): boolean =>
  ["EMFILE", "ENFILE"].includes((error as NodeJS.ErrnoException).code ?? "");

/** Takes what is missing of it, as far as that can be had. */
function fill(): void {
  try {
    while (reserve.length < count) reserve.push(openSync("/dev/null", "r"));
  } catch (error) {
    if (!isLack(error)) throw error;
  }
}

/** Does it, once more from the reserve where it fails for want of a descriptor. @throws what it throws */
export async function withReserve<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (!isLack(error)) throw error;
  } finally {
    fill();
  }
  // Given up in the same step in which the attempt begins: nothing else of this program comes between.
  for (const descriptor of reserve.splice(0)) closeSync(descriptor);
  try {
    return await attempt();
  } finally {
    fill();
  }
}
