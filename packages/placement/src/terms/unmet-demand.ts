/**
 * CPU that the VMs of a host are predicted to want and not to get, in core-seconds of the horizon. The prediction is
 * the high percentile of the sum of their loads, not the sum of their percentiles: independent peaks seldom meet.
 *
 *   P = sum of means + k * sqrt((1 - c) * sum of variances + c * (sum of deviations)^2)
 *
 * c is how far loads rise together: 0 independent, 1 all at once. Above the level at which waiting for a CPU begins
 * each core costs a part of itself, above the host's capacity all of it.
 */
import type { HostTerm } from "./term.ts";

export interface UnmetDemandSettings {
  /** Indexes of the resources. */
  mean: number;
  deviation: number;
  variance: number;
  cores: Float64Array;
  /** Deviations above the mean: 1.645 is the 95th percentile. */
  k: number;
  correlation: number;
  /** Of the cores, from which on VMs wait for one another. */
  waitingLevel: number;
  /** What a core above that level costs, of a core that is not delivered. */
  waitingCost: number;
  horizonSeconds: number;
}

export class UnmetDemand implements HostTerm {
  readonly name = "unmet demand";
  readonly #settings: UnmetDemandSettings;

  constructor(settings: UnmetDemandSettings) {
    this.#settings = settings;
  }

  predicted(usage: Float64Array, at: number): number {
    const { mean, deviation, variance, k, correlation } = this.#settings;
    const together = usage[at + deviation] as number;
    const square =
      (1 - correlation) * Math.max(0, usage[at + variance] as number) + correlation * together * together;
    return (usage[at + mean] as number) + k * Math.sqrt(square);
  }

  cost(host: number, usage: Float64Array, at: number): number {
    const { cores, waitingLevel, waitingCost, horizonSeconds } = this.#settings;
    const capacity = cores[host] as number;
    const over = this.predicted(usage, at) - capacity * waitingLevel;
    if (over <= 0) return 0;
    const short = Math.max(0, over - capacity * (1 - waitingLevel));
    return horizonSeconds * (waitingCost * (over - short) + short);
  }
}
