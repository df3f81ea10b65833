/**
 * A day of PlanetLab under our planner, beside CloudSim's policies in the same model. The model is validated first: on 3 March 2011
 * its energies must be those that CloudSim itself has, without migrations exactly and with them within 2 %.
 */
import { join } from "node:path";
import { dvfs, npa } from "./policies/still.ts";
import { ours } from "./policies/ours.ts";
import { thrMmt } from "./policies/thr-mmt.ts";
import { simulateDay, type DayRow } from "./simulate.ts";
import { readTraces } from "./traces.ts";

export interface PlanetLabRow extends Omit<DayRow, "policy"> {
  day: string;
  /** The same day under other policies. */
  others: DayRow[];
}

const validated = "20110303";
const published = [
  { policy: npa, energyKwh: 2410.8, within: 0.005 },
  { policy: dvfs, energyKwh: 802.75, within: 0.005 },
  { policy: thrMmt(0.8), energyKwh: 192.62, within: 192.62 * 0.02 },
];

export function scoreDay(folder: string, day: string): PlanetLabRow {
  const traces = readTraces(join(folder, `${day}.csv.gz`));
  const others = published.map(({ policy, energyKwh, within }) => {
    const row = simulateDay(policy, traces);
    if (day === validated && Math.abs(row.energyKwh - energyKwh) > within)
      throw new Error(
        `The model does not agree with CloudSim: ${policy.name} takes ${row.energyKwh.toFixed(2)} kWh, published are ${String(energyKwh)}.`,
      );
    return row;
  });
  const { policy: _, ...row } = simulateDay(
    ours({ level: 0.7, slack: 0.1, threshold: 3, settleSeconds: 3600 }),
    traces,
  );
  return { day, ...row, others };
}
