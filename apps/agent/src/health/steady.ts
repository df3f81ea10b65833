/**
 * Symptoms that come and go are told steadily: one counts when two looks in a row saw it, and until it was away for ten minutes; what
 * was severe within that time stays so. Pure but for what it remembers.
 */
import type { HealthFinding, HealthState } from "@godwit/contract";
import type { Symptom } from "./health-source.ts";

const lastsMs = 600_000;

interface Known {
  finding: HealthFinding;
  /** How often in a row it was seen at first. */
  seen: number;
  lastMs: number;
  /** When it was severe last; null: never. */
  severeMs: number | null;
}

export class Steady {
  readonly #known = new Map<string, Known>();

  /** @param symptoms of this source now @param nowMs by a clock that is never set @param at by the host's clock */
  saw(source: string, symptoms: readonly Symptom[], nowMs: number, at = new Date()): void {
    const keys = new Set<string>();
    for (const { component, state, evidence } of symptoms) {
      const key = `${source} ${component}`;
      keys.add(key);
      const before = this.#known.get(key);
      const severeMs = state === "severe" ? nowMs : (before?.severeMs ?? null);
      const held: HealthState = severeMs !== null && nowMs - severeMs < lastsMs ? "severe" : state;
      this.#known.set(key, {
        // The evidence is of when the state began: figures that change all the time are no news.
        finding:
          before?.finding.state === held
            ? before.finding
            : { source, component, state, evidence, since: at.toISOString() },
        seen: (before?.seen ?? 0) + 1,
        lastMs: nowMs,
        severeMs,
      });
    }
    for (const [key, { finding, seen, lastMs }] of this.#known)
      if (finding.source === source && !keys.has(key) && (seen < 2 || nowMs - lastMs >= lastsMs))
        this.#known.delete(key);
  }

  /** The severe ones first. */
  get findings(): HealthFinding[] {
    return [...this.#known.values()]
      .filter(({ seen }) => seen >= 2)
      .map(({ finding }) => finding)
      .sort((a, b) => Number(b.state === "severe") - Number(a.state === "severe"));
  }
}
