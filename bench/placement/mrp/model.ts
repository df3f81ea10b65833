/** An instance of Google's machine reassignment problem (ROADEF/EURO challenge 2012), as its files tell it. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

export interface Machine {
  neighbourhood: number;
  location: number;
  capacity: number[];
  safety: number[];
  moveCost: number[];
}

export interface Instance {
  name: string;
  resources: { transient: boolean; weight: number }[];
  machines: Machine[];
  services: { spread: number; needs: number[] }[];
  processes: { service: number; demand: number[]; moveCost: number }[];
  balances: { first: number; second: number; target: number; weight: number }[];
  weights: { processMove: number; serviceMove: number; machineMove: number };
  assignment: number[];
  lowerBound: number;
  /** As published. */
  originalCost: number;
}

export function readInstance(folder: string, name: string): Instance {
  const model = join(folder, `model_${name}.txt`);
  const text = existsSync(model)
    ? readFileSync(model, "utf8")
    : gunzipSync(readFileSync(`${model}.gz`)).toString();
  const next = numbers(text);
  const list = <Item>(item: () => Item, count = next()): Item[] => Array.from({ length: count }, item);
  const resources = list(() => ({ transient: next() === 1, weight: next() }));
  const each = () => list(next, resources.length);
  const count = next();
  const machines = list(
    () => ({
      ...{ neighbourhood: next(), location: next(), capacity: each(), safety: each() },
      moveCost: list(next, count),
    }),
    count,
  );
  const services = list(() => ({ spread: next(), needs: list(next) }));
  const processes = list(() => ({ service: next(), demand: each(), moveCost: next() }));
  const balances = list(() => ({ first: next(), second: next(), target: next(), weight: next() }));
  const weights = { processMove: next(), serviceMove: next(), machineMove: next() };
  const alone = (kind: string) => numbers(readFileSync(join(folder, `${kind}_${name}.txt`), "utf8"));
  const assigned = alone("assignment");
  return {
    ...{ name, resources, machines, services, processes, balances, weights },
    assignment: processes.map(() => assigned()),
    lowerBound: alone("lb")(),
    originalCost: alone("original_cost")(),
  };
}

function numbers(text: string): () => number {
  const words = text.matchAll(/-?\d+/g);
  return () => Number(words.next().value?.[0] ?? NaN);
}
