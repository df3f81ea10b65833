/**
 * The courses that the policies are compared over: each scenario is a family of guests and links, of which a seed makes
 * one. Sizes and rates vary by a factor of two about the named ones, links by a tenth from moment to moment.
 */
import type { WorkingSet } from "@godwit/migration/play";
import type { Trace } from "./simulate.ts";

const mib = 2 ** 20;
const gigabit = 117e6;

export interface Scenario {
  readonly name: string;
  make(random: () => number): Trace;
}

/** A sequence of numbers from 0 to 1 that a seed determines (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Family {
  memoryMib: number;
  setMib: number;
  mibPerSecond: number;
  order?: WorkingSet["order"];
  /** It writes for this share of each `everyMs`. */
  burst?: { everyMs: number; share: number };
  /** Beside it, always: a little that every system writes. */
  bytesPerSecond?: number;
  drop?: { share: number; forMs: number };
}

const family = (name: string, of: Family): Scenario => ({
  name,
  make: (random) => {
    const about = (value: number) => value * 2 ** (2 * random() - 1);
    const pace = of.bytesPerSecond ?? gigabit;
    const everyMs = of.burst === undefined ? 0 : about(of.burst.everyMs);
    const phase =
      of.burst === undefined
        ? null
        : { everyMs, activeMs: everyMs * of.burst.share, fromMs: everyMs * random() };
    const touchedBytes = about(of.memoryMib) * mib;
    const bytes = Math.min(touchedBytes, about(of.setMib) * mib);
    const order = of.order ?? "scattered";
    const workingSets: WorkingSet[] = [
      { bytes, bytesPerSecond: about(of.mibPerSecond) * mib, order, phase },
      { bytes: 2 * mib, bytesPerSecond: mib / 2, order: "scattered", phase: null },
    ];
    const noise = Array.from({ length: 256 }, () => 1 + 0.1 * (2 * random() - 1));
    const bulkMs = (touchedBytes / pace) * 1000;
    const dropFromMs = bulkMs * (0.5 + random());
    const dropMs = of.drop === undefined ? 0 : about(of.drop.forMs);
    return {
      guest: { touchedBytes, workingSets },
      link: (atMs) => {
        const isDown = atMs >= dropFromMs && atMs < dropFromMs + dropMs;
        return (
          pace * (noise[Math.floor(atMs / 500) % noise.length] ?? 1) * (isDown ? (of.drop?.share ?? 1) : 1)
        );
      },
    };
  },
});

export const scenarios: readonly Scenario[] = [
  family("idle", { memoryMib: 1024, setMib: 4, mibPerSecond: 1 }),
  family("light load", { memoryMib: 1024, setMib: 64, mibPerSecond: 20 }),
  family("near the link's pace", { memoryMib: 1024, setMib: 128, mibPerSecond: 90 }),
  family("beyond the link", { memoryMib: 1024, setMib: 128, mibPerSecond: 200 }),
  family("far beyond the link", { memoryMib: 1024, setMib: 256, mibPerSecond: 1000 }),
  family("a scan that goes round", { memoryMib: 1024, setMib: 512, mibPerSecond: 150, order: "sequential" }),
  family("bursts", { memoryMib: 1024, setMib: 256, mibPerSecond: 400, burst: { everyMs: 8000, share: 0.4 } }),
  family("short flushes", {
    memoryMib: 512,
    setMib: 64,
    mibPerSecond: 600,
    burst: { everyMs: 2000, share: 0.3 },
  }),
  family("light load, the link drops", {
    ...{ memoryMib: 1024, setMib: 64, mibPerSecond: 20 },
    drop: { share: 0.02, forMs: 8000 },
  }),
  family("100 Mbit/s", { memoryMib: 512, setMib: 32, mibPerSecond: 5, bytesPerSecond: 11.7e6 }),
  family("100 Mbit/s, busy", { memoryMib: 512, setMib: 64, mibPerSecond: 50, bytesPerSecond: 11.7e6 }),
  family("10 Gbit/s, busy", { memoryMib: 4096, setMib: 512, mibPerSecond: 1500, bytesPerSecond: 1.1e9 }),
];
