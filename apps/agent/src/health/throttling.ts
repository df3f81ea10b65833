/** CPUs that slow themselves down for heat, as the kernel counts it: the host is slower than it passes for. */
import { join } from "node:path";
import { Growth } from "./counts.ts";
import { SourceAbsent, type HealthSource, type Symptom } from "./health-source.ts";
import { namesIn, numberOf } from "./sysfs.ts";

const tenMinutesMs = 600_000;
/** Times within ten minutes, over all cores. */
const often = 10;

export class Throttling implements HealthSource {
  readonly name = "throttling";
  readonly #folder: string;
  readonly #growth = new Growth(tenMinutesMs);

  constructor(folder = "/sys/devices/system/cpu") {
    this.#folder = folder;
  }

  look(nowMs: number): Symptom[] {
    const counts = namesIn(this.#folder)
      .filter((name) => /^cpu\d+$/.test(name))
      .flatMap((name) => {
        const count = numberOf(join(this.#folder, name, "thermal_throttle"), "core_throttle_count");
        return count === null ? [] : [{ name, count }];
      });
    if (counts.length === 0)
      throw new SourceAbsent("its CPUs do not count how often they slow down for heat");
    const grown = counts.reduce((sum, { name, count }) => sum + this.#growth.by(name, count, nowMs), 0);
    if (grown < often) return [];
    const evidence = `they slowed down for heat ${String(grown)} times within ten minutes`;
    return [{ component: "the CPUs", state: "moderate", evidence }];
  }
}
