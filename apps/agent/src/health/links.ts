/**
 * Network interfaces whose carrier comes and goes, or that receive broken frames, as the kernel counts both. Only hardware counts:
 * taps and bridges come and go with VMs.
 */
import { join } from "node:path";
import { Growth } from "./counts.ts";
import { SourceAbsent, type HealthSource, type Symptom } from "./health-source.ts";
import { namesIn, numberOf } from "./sysfs.ts";

const hourMs = 3_600_000;
const tenMinutesMs = 600_000;
/** Times without a carrier within an hour. */
const flapping = 4;
/** Broken frames within ten minutes: so many, and such a part of all. */
const broken = { frames: 100, part: 0.001 };

export class Links implements HealthSource {
  readonly name = "links";
  readonly #folder: string;
  readonly #downs = new Growth(hourMs);
  readonly #frames = new Growth(tenMinutesMs);

  constructor(folder = "/sys/class/net") {
    this.#folder = folder;
  }

  look(nowMs: number): Symptom[] {
    const hardware = namesIn(this.#folder).filter((name) =>
      namesIn(join(this.#folder, name)).includes("device"),
    );
    if (hardware.length === 0) throw new SourceAbsent("it has no network interface of its own");
    return hardware.flatMap((name) => this.#ofLink(name, nowMs));
  }

  #ofLink(name: string, nowMs: number): Symptom[] {
    const folder = join(this.#folder, name);
    const grown = (file: string) =>
      this.#frames.by(`${name} ${file}`, numberOf(join(folder, "statistics"), file) ?? 0, nowMs);
    const downs = this.#downs.by(name, numberOf(folder, "carrier_down_count") ?? 0, nowMs);
    const errors = grown("rx_errors");
    const frames = grown("rx_packets");
    const component = `interface ${name}`;
    return [
      ...(downs >= flapping
        ? [symptom(component, `it lost its carrier ${String(downs)} times within the hour`)]
        : []),
      ...(errors >= broken.frames && errors > (frames + errors) * broken.part
        ? [
            symptom(
              component,
              `${String(errors)} of ${String(frames + errors)} frames came broken within ten minutes`,
            ),
          ]
        : []),
    ];
  }
}

const symptom = (component: string, evidence: string): Symptom => ({
  component,
  state: "moderate",
  evidence,
});
