/**
 * Memory errors that ECC saw, as the kernel's EDAC drivers count them (Documentation/driver-api/edac). One that could not be corrected is
 * severe: the next may end the host. Corrected ones are moderate when they come often.
 */
import { join } from "node:path";
import { Growth } from "./counts.ts";
import { SourceAbsent, type HealthSource, type Symptom } from "./health-source.ts";
import { namesIn, numberOf, textOf } from "./sysfs.ts";

const hourMs = 3_600_000;
/** Within an hour. */
const often = 10;
const flood = 1000;

export class MemoryErrors implements HealthSource {
  readonly name = "memory-errors";
  readonly #folder: string;
  readonly #growth = new Growth(hourMs);

  constructor(folder = "/sys/devices/system/edac/mc") {
    this.#folder = folder;
  }

  look(nowMs: number): Symptom[] {
    const controllers = namesIn(this.#folder).filter((name) => /^mc\d+$/.test(name));
    if (controllers.length === 0)
      throw new SourceAbsent("the kernel counts no memory errors here (no EDAC driver, or no ECC memory)");
    return controllers.flatMap((name) => this.#ofController(join(this.#folder, name), name, nowMs));
  }

  #ofController(folder: string, name: string, nowMs: number): Symptom[] {
    const modules = namesIn(folder).filter((one) => /^(dimm|rank)\d+$/.test(one));
    // Where the driver tells of no module, the controller's own counts are all there is.
    if (modules.length === 0)
      return this.#judge(`memory controller ${name}`, folder, { ce: "ce_count", ue: "ue_count" }, nowMs);
    return modules.flatMap((module) => {
      const own = join(folder, module);
      const label = textOf(own, "dimm_label");
      const component = `memory module ${label === null || label === "" ? `${name} ${module}` : label}`;
      return this.#judge(component, own, { ce: "dimm_ce_count", ue: "dimm_ue_count" }, nowMs);
    });
  }

  #judge(component: string, folder: string, names: { ce: string; ue: string }, nowMs: number): Symptom[] {
    const uncorrected = numberOf(folder, names.ue) ?? 0;
    const corrected = this.#growth.by(`${folder} ce`, numberOf(folder, names.ce) ?? 0, nowMs);
    if (uncorrected > 0)
      return [
        {
          ...{ component, state: "severe" },
          evidence: `it had ${String(uncorrected)} errors since the boot that could not be corrected`,
        },
      ];
    if (corrected < often) return [];
    return [
      {
        ...{ component, state: corrected >= flood ? "severe" : "moderate" },
        evidence: `it had ${String(corrected)} corrected errors within the hour`,
      },
    ];
  }
}
