/** What each VM is expected to want, from the samples that are kept: the last hour's finely, and those before coarsely. */
import { forecast, type LoadForecast, type LoadSample } from "./forecast.ts";
import { resolutions, type HostSample } from "./windows.ts";

export interface KnownLoad {
  load: LoadForecast;
  /** For how long it was measured within the last hour. */
  measuredSeconds: number;
}

/** Less is not enough to move a VM for. */
export const leastMeasuredSeconds = 120;

/** @param samples of the hosts that the VMs were on */
export function knownLoads(samples: readonly HostSample[], nowMs: number): Map<string, KnownLoad> {
  const fineSeconds = secondsOf("fine");
  const fineReachMs = fineSeconds * 1000 * (resolutions.find(({ name }) => name === "fine")?.kept ?? 0);
  const byVm = new Map<string, { samples: LoadSample[]; fine: number }>();
  for (const { resolution, atMs, vms } of samples) {
    const seconds = secondsOf(resolution);
    const endMs = atMs + seconds * 1000;
    // Where both are kept the fine ones count.
    if (resolution === "coarse" && endMs > nowMs - fineReachMs) continue;
    const age = Math.max(0, (nowMs - endMs) / 1000);
    for (const [id, { cpus }] of Object.entries(vms)) {
      const known = byVm.get(id) ?? { samples: [], fine: 0 };
      known.samples.push({ age, value: cpus, seconds });
      if (resolution === "fine" && age <= fineReachMs / 1000) known.fine += 1;
      byVm.set(id, known);
    }
  }
  return new Map(
    [...byVm].flatMap(([id, known]) => {
      const load = forecast(known.samples);
      return load === null ? [] : [[id, { load, measuredSeconds: known.fine * fineSeconds }]];
    }),
  );
}

const secondsOf = (name: HostSample["resolution"]): number =>
  resolutions.find((one) => one.name === name)?.seconds ?? 1;
