/** Whether the tables of phases list just what happens: transitions that they list and no exploration has seen. */
import { destinationPhases, sourcePhases } from "../src/index.ts";
import type { Exploration } from "./search.ts";

/** As `source: from → to`; empty when every listed transition was made. */
export function neverMade(explorations: readonly Exploration[]): string[] {
  const halves = { source: sourcePhases, destination: destinationPhases } as const;
  return (["source", "destination"] as const).flatMap((half) => {
    const made = new Set(explorations.flatMap(({ transitionsOf }) => transitionsOf[half]));
    const table: Record<string, { next: readonly string[] }> = halves[half];
    return Object.entries(table)
      .flatMap(([from, { next }]) => next.map((to) => `${from} → ${to}`))
      .filter((transition) => !made.has(transition))
      .map((transition) => `${half}: ${transition}`);
  });
}
