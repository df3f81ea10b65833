/** Changes right texts at random, by a seed that repeats the run, and tells what a target threw. */
import type { Target } from "./targets.ts";

export interface Crash {
  text: string;
  error: unknown;
}

const pieces = [
  '"',
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "null",
  "-1",
  "1e999",
  "\\u0000",
  "\n",
  "../",
  "__proto__",
  "\u00ff",
  "NaN",
];

/** @returns what was thrown, at most ten */
export function fuzz(target: Target, cases: number, seed: number): Crash[] {
  const random = randomOf(seed);
  const crashes: Crash[] = [];
  for (let n = 0; n < cases && crashes.length < 10; n += 1) {
    let text = target.samples[random(target.samples.length)] ?? "";
    for (let changes = random(5); changes >= 0; changes -= 1) text = changed(text, random);
    try {
      target.read(text);
    } catch (error) {
      crashes.push({ text, error });
    }
  }
  return crashes;
}

function changed(text: string, random: (below: number) => number): string {
  const at = random(text.length + 1);
  const piece = pieces[random(pieces.length)] ?? "";
  switch (random(6)) {
    case 0:
      return text.slice(0, at) + piece + text.slice(at);
    case 1:
      return text.slice(0, at) + text.slice(at + 1 + random(8));
    case 2:
      return text.slice(0, at) + String.fromCharCode(random(256)) + text.slice(at + 1);
    case 3:
      return text.slice(0, at) + text.slice(random(text.length + 1));
    case 4:
      return text.replace(/:("[^"]*"|\d+)/, (found) =>
        random(2) === 0 ? `:${piece}` : `:[${found.slice(1)}]`,
      );
    default:
      return text.slice(0, at) + piece.repeat(1 + random(40)) + text.slice(at);
  }
}

/** mulberry32. */
function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % Math.max(1, below);
  };
}
