/**
 * What a VM will want in the next hour, from what it wanted: a mean in which the last hour counts most, and a
 * deviation around it. A load that rose and held for three minutes counts at once; one that fell counts for less only slowly. One quiet
 * sample does not make a quiet VM: where mean and deviation would leave the 95th percentile of the samples unseen, the deviation is
 * raised to it.
 */
export interface LoadSample {
  /** Seconds before now. */
  age: number;
  value: number;
  /** What it is the mean of; its weight. Absent: 1. */
  seconds?: number;
}

export interface LoadForecast {
  mean: number;
  deviation: number;
}

/** A sample counts half of one that is this much newer. */
const halfLifeSeconds = 3600;
/** Deviations above the mean of a 95th percentile. */
export const k95 = 1.645;

/** @returns null without samples */
export function forecast(samples: readonly LoadSample[]): LoadForecast | null {
  let weights = 0;
  let sum = 0;
  let squares = 0;
  for (const { age, value, seconds = 1 } of samples) {
    const weight = seconds * 0.5 ** (Math.max(0, age) / halfLifeSeconds);
    weights += weight;
    sum += weight * value;
    squares += weight * value * value;
  }
  if (weights === 0) return null;
  const usual = sum / weights;
  const mean = Math.max(usual, heldLevel(samples) ?? 0);
  const deviation = Math.sqrt(Math.max(0, squares / weights - usual * usual));
  const peak = percentile(samples, 0.95);
  return { mean, deviation: Math.max(deviation, (peak - mean) / k95) };
}

const heldSeconds = 180;
const leastHeldSeconds = 150;

/** The least of the last three minutes: what a burst does not raise. Null: too little of them was measured, or not finely. */
function heldLevel(samples: readonly LoadSample[]): number | null {
  const recent = samples.filter(({ age, seconds = 1 }) => age >= 0 && age + seconds <= heldSeconds);
  const measured = recent.reduce((sum, { seconds = 1 }) => sum + seconds, 0);
  return measured < leastHeldSeconds ? null : Math.min(...recent.map(({ value }) => value));
}

/** The value that this part of the samples, by their weight, does not exceed. */
export function percentile(samples: readonly LoadSample[], part: number): number {
  const sorted = [...samples].sort((a, b) => a.value - b.value);
  const all = sorted.reduce((sum, { seconds = 1 }) => sum + seconds, 0);
  let below = 0;
  for (const { value, seconds = 1 } of sorted) {
    below += seconds;
    if (below >= part * all * (1 - 1e-12)) return value;
  }
  return sorted.at(-1)?.value ?? 0;
}
