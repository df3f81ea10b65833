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

/** What no field of a message expects, or expects as the worst of its kind. */
const values: readonly unknown[] = [
  ...[null, true, 0, -1, -0, 1.5, 1e308, Number.MAX_SAFE_INTEGER + 2, 2 ** 31, "", "x".repeat(5000)],
  ...["\u0000", "\u001b[2J\r\n", "\ud800", "..", "/etc/passwd", "__proto__", "constructor", "1e308", "NaN"],
  ...[
    [],
    {},
    [[[[]]]],
    { __proto__: null, toString: 1, length: -1 },
    Array.from({ length: 300 }, () => ({})),
  ],
];

/** Below the number that is given. */
export type Random = (below: number) => number;

/** @returns what was thrown, at most ten */
export function fuzz(target: Target, cases: number, seed: number): Crash[] {
  const random = randomOf(seed);
  const crashes: Crash[] = [];
  for (let n = 0; n < cases && crashes.length < 10; n += 1) {
    const text = variantOf(target.samples, random);
    try {
      target.read(text, n);
    } catch (error) {
      crashes.push({ text, error });
    }
  }
  return crashes;
}

/** One of these texts, changed in one to five places. */
export function variantOf(samples: readonly string[], random: Random): string {
  let text = samples[random(samples.length)] ?? "";
  // Half of them stay JSON where they are JSON: those get past the parser, to the schemas.
  if (random(2) === 0) return otherValues(text, random);
  for (let changes = random(5); changes >= 0; changes -= 1) text = changed(text, random);
  return text;
}

function changed(text: string, random: Random): string {
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

/** The same JSON with one to three of its values replaced, left out or moved; other texts as they are. */
function otherValues(text: string, random: Random): string {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return changed(text, random);
  }
  for (let changes = random(3); changes >= 0; changes -= 1) {
    let place = json;
    for (;;) {
      if (typeof place !== "object" || place === null) break;
      const holder = place as Record<string, unknown>;
      const keys = Object.keys(holder);
      const key = keys[random(keys.length)];
      if (key === undefined) break;
      place = holder[key];
      if (typeof place === "object" && place !== null && random(4) > 0) continue;
      const how = random(8);
      if (how === 0) Reflect.deleteProperty(holder, key);
      else if (how === 1) holder[pieces[random(pieces.length)] ?? ""] = place;
      else holder[key] = structuredClone(values[random(values.length)]);
      break;
    }
  }
  return JSON.stringify(json);
}

/** mulberry32. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % Math.max(1, below);
  };
}
