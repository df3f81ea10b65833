/** Work that waits for what the host has too little of, as the kernel's PSI tells it over the last 300 s. Slow, not about to fail: moderate. */
import { SourceAbsent, type HealthSource, type Symptom } from "./health-source.ts";
import { textOf } from "./sysfs.ts";

/** Percent of the time in which no task (`full`), or at least one (`some`), could go on. */
const limits = [
  {
    resource: "io",
    kind: "full",
    percent: 40,
    evidence: "of the time nothing went on for waiting on storage",
  },
  {
    resource: "memory",
    kind: "full",
    percent: 10,
    evidence: "of the time nothing went on for want of memory",
  },
  { resource: "cpu", kind: "some", percent: 80, evidence: "of the time somebody waited for a CPU" },
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
    return read.flatMap(({ resource, kind, percent, evidence, text }): Symptom[] => {
      const figure = new RegExp(`^${kind} .*\\bavg300=([\\d.]+)`, "m").exec(text ?? "")?.[1];
      const now = figure === undefined ? 0 : Number(figure);
      if (now < percent) return [];
      return [{ component: resource, state: "moderate", evidence: `${now.toFixed(0)} % ${evidence}` }];
    });
  }
}
