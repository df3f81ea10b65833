/** A day of CPU use of PlanetLab's VMs, one line each: a name and 288 percentages, one every five minutes; lines sorted by name. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

export const samplesPerDay = 288;
export const sampleSeconds = 300;
const mostVms = 20_000;

/** @returns of each VM its use, 0 to 1 @throws Error with the line that is wrong */
export function readTraces(path: string): Float64Array[] {
  const lines = gunzipSync(readFileSync(path), { maxOutputLength: 64 * 2 ** 20 })
    .toString()
    .split("\n")
    .filter((line) => line !== "");
  if (lines.length === 0 || lines.length > mostVms)
    throw new Error(`${path} has ${String(lines.length)} VMs; 1 to ${String(mostVms)} are read.`);
  return lines.map((line, index) => {
    const figures = line.split(",").slice(1);
    const wrong = figures.find((text) => !/^(\d{1,2}|100)$/.test(text));
    if (figures.length !== samplesPerDay || wrong !== undefined)
      throw new Error(
        `Line ${String(index + 1)} of ${path} has ${String(figures.length)} figures${wrong === undefined ? "" : `, one of them "${wrong.slice(0, 20)}"`}; ${String(samplesPerDay)} percentages are expected.`,
      );
    return Float64Array.from(figures, (text) => Number(text) / 100);
  });
}

/** Between two samples it is a line; after the last it stays. */
export function useAt(trace: Float64Array, seconds: number): number {
  const at = seconds / sampleSeconds;
  const before = Math.floor(at);
  const last = trace.length - 1;
  const low = trace[Math.min(before, last)] as number;
  const high = trace[Math.min(before + 1, last)] as number;
  return low + (high - low) * (at - before);
}
