/**
 * CPU time that a hypervisor under this host gave to others, as the kernel counts it (`steal` of /proc/stat): a host that is a VM itself, and
 * slower than it passes for. On a server of its own it stays at zero.
 */
import { Growth } from "./counts.ts";
import { SourceAbsent, type HealthSource, type Symptom } from "./health-source.ts";
import { textOf } from "./sysfs.ts";

const windowMs = 300_000;
/** Of the time that was wanted, over five minutes. */
const often = 0.1;
/** Less than this wanted, in CPUs on average, says little. */
const leastWanted = 0.2;
const ticksPerMs = 0.1;

export class Steal implements HealthSource {
  readonly name = "steal";
  readonly #folder: string;
  readonly #growth = new Growth(windowMs);
  #sinceMs: number | null = null;

  constructor(folder = "/proc") {
    this.#folder = folder;
  }

  look(nowMs: number): Symptom[] {
    const [user, nice, system, , , irq = 0, softirq = 0, steal] =
      /^cpu\s+(.*)$/m
        .exec(textOf(this.#folder, "stat") ?? "")?.[1]
        ?.split(" ")
        .map(Number) ?? [];
    if (user === undefined || nice === undefined || system === undefined || steal === undefined)
      throw new SourceAbsent("the kernel does not count what a hypervisor under it takes");
    this.#sinceMs ??= nowMs;
    const stolen = this.#growth.by("stolen", steal, nowMs);
    const used = this.#growth.by("used", user + nice + system + irq + softirq, nowMs);
    const lookedMs = Math.min(windowMs, nowMs - this.#sinceMs);
    if (lookedMs < windowMs / 2) return [];
    const wanted = stolen + used;
    const share = stolen / Math.max(1, wanted);
    if (share < often || wanted < leastWanted * lookedMs * ticksPerMs) return [];
    const evidence = `a hypervisor under it took ${(share * 100).toFixed(0)} % of the CPU time that it wanted within five minutes`;
    return [{ component: "the CPUs", state: "moderate", evidence }];
  }
}
