/**
 * Fans, temperatures, voltages and power, as the kernel's hwmon drivers tell them (Documentation/hwmon/sysfs-interface): also those of
 * IPMI and of power supplies where their drivers are loaded. A fan that stands still and ought to turn is severe, as is a temperature
 * at its critical limit; what a chip raises an alarm for, or is above its own limit, is moderate.
 */
import { join } from "node:path";
import { SourceAbsent, type HealthSource, type Symptom } from "./health-source.ts";
import { namesIn, numberOf, textOf } from "./sysfs.ts";

export class Sensors implements HealthSource {
  readonly name = "sensors";
  readonly #folder: string;
  /** Fans that turned since the agent started: one that never did may not be there. */
  readonly #turned = new Set<string>();

  /** @param folder another place than the kernel's, in tests */
  constructor(folder = "/sys/class/hwmon") {
    this.#folder = folder;
  }

  look(): Symptom[] {
    const chips = namesIn(this.#folder);
    if (chips.length === 0) throw new SourceAbsent("the kernel has no driver for this host's sensors");
    return chips.flatMap((chip) => this.#ofChip(join(this.#folder, chip)));
  }

  #ofChip(folder: string): Symptom[] {
    const chip = textOf(folder, "name") ?? "a chip";
    return namesIn(folder).flatMap((file): Symptom[] => {
      const [, kind, number] = /^(fan|temp|in|power)(\d+)_input$/.exec(file) ?? [];
      if (kind === undefined || number === undefined) return [];
      const sensor = `${kind}${number}`;
      const label = textOf(folder, `${sensor}_label`);
      const component = `${label ?? sensor} of ${chip}`;
      const read = (what: string) => numberOf(folder, `${sensor}_${what}`);
      if (kind === "fan") return this.#ofFan(`${folder} ${sensor}`, component, read);
      return kind === "temp" ? ofTemperature(component, read) : ofAlarm(component, read);
    });
  }

  #ofFan(id: string, component: string, read: (what: string) => number | null): Symptom[] {
    const speed = read("input");
    if (speed !== null && speed > 0) this.#turned.add(id);
    const least = read("min") ?? 0;
    if (read("fault") === 1) return [{ component, state: "severe", evidence: "it reports a fault" }];
    if (speed === 0 && (this.#turned.has(id) || least > 0))
      return [{ component, state: "severe", evidence: "it stands still" }];
    if (speed !== null && speed < least)
      return [
        {
          ...{ component, state: "moderate" },
          evidence: `it turns at ${String(speed)} rpm; ${String(least)} is its limit`,
        },
      ];
    return ofAlarm(component, read);
  }
}

/** In thousandths of a degree Celsius. */
function ofTemperature(component: string, read: (what: string) => number | null): Symptom[] {
  const now = read("input");
  const critical = read("crit");
  const most = read("max");
  const degrees = (value: number) => `${String(Math.round(value / 1000))} °C`;
  if (now !== null && critical !== null && critical > 0 && now >= critical)
    return [
      { component, state: "severe", evidence: `it is at ${degrees(now)}; ${degrees(critical)} is critical` },
    ];
  if (read("crit_alarm") === 1) return [{ component, state: "severe", evidence: "its critical alarm is on" }];
  if (now !== null && most !== null && most > 0 && now >= most)
    return [
      { component, state: "moderate", evidence: `it is at ${degrees(now)}; ${degrees(most)} is its limit` },
    ];
  return ofAlarm(component, read);
}

const ofAlarm = (component: string, read: (what: string) => number | null): Symptom[] =>
  read("alarm") === 1 ? [{ component, state: "moderate", evidence: "its alarm is on" }] : [];
