/**
 * Work that waits for storage or memory, as the kernel's PSI tells it over the last 300 s. Slow, not about to fail: moderate. CPUs that
 * are waited for are the planner's business: there the load is moved, not the host left.
 */
import { SourceAbsent, type HealthSource, type Symptom } from "./health-source.ts";
import { textOf } from "./sysfs.ts";

/** Percent of the time in which no task could go on (`full`). */
const limits = [
  { resource: "io", percent: 40, evidence: "of the time nothing went on for waiting on storage" },
  { resource: "memory", percent: 10, evidence: "of the time nothing went on for want of memory" },
] as const;

export class Pressure implements HealthSource {
  readonly name = "pressure";
  readonly #folder: string;

  constructor(folder = "/proc/pressure") {
    this.#folder = folder;
  }

  look(): Symptom[] {
    const read = limits.map((limit) => ({ ...limit, text: textOf(this.#folder, limit.resource) }));
    if (read.every(({ text }) => text === null))
      throw new SourceAbsent("the kernel does not tell of pressure (psi=1 on its command line)");
    return read.flatMap(({ resource, percent, evidence, text }): Symptom[] => {
      const figure = /^full .*\bavg300=([\d.]+)/m.exec(text ?? "")?.[1];
      const now = figure === undefined ? 0 : Number(figure);
      if (now < percent) return [];
      return [{ component: resource, state: "moderate", evidence: `${now.toFixed(0)} % ${evidence}` }];
    });
  }
}
