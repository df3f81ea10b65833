/** Whether the tables of phases list just what happens: transitions that they list and no exploration has seen. */
import { destinationPhases, sourcePhases } from "../src/index.ts";
import type { Exploration } from "./search.ts";

type Table = Readonly<Record<string, { readonly next: readonly string[] }>>;

/** As `source: from → to`; empty when every listed transition was made. */
export function neverMade(
  explorations: readonly Pick<Exploration, "transitionsOf">[],
  halves: { source: Table; destination: Table } = { source: sourcePhases, destination: destinationPhases },
): string[] {
  return (["source", "destination"] as const).flatMap((half) => {
    const made = new Set(explorations.flatMap(({ transitionsOf }) => transitionsOf[half]));
    return Object.entries(halves[half])
      .flatMap(([from, { next }]) => next.map((to) => `${from} → ${to}`))
      .filter((transition) => !made.has(transition))
      .map((transition) => `${half}: ${transition}`);
  });
}
