/**
 * KubeVirt 1.9's stall detection, from its public description (VEPs 248 and 291): at the ends of passes, a stall is what is
 * left not being 4 % below the least of at least a minute ago; from then on it switches at the first pass within 4 % of the
 * best since, or after its patience at the next best. Implied downtime up to 900 ms switches, above 1.5 times that aborts,
 * between goes on to 150 s per GiB. QEMU's own limit rises from 150 to 1,050 ms after the bulk. It looks every 400 ms.
 */
import type { Policy, View } from "./policy.ts";

const [progressMs, margin, mostDowntimeMs, secondsPerGib, weight] = [60_000, 0.04, 900, 150, 0.4];
const ramp = { fromMs: 150, toMs: 1050, overMs: 60_000 };

export const kubevirt: Policy = {
  name: "kubevirt",
  after: "KubeVirt 1.9's stall detection (alpha), pre-copy, from its public description",
  downtimeMs: ramp.fromMs,
  everyMs: 400,
  begin: () => {
    let [round, bulkEndMs, pace, stalledAtMs, patienceMs, best] = [
      0,
      0,
      0,
      0,
      60_000,
      Number.POSITIVE_INFINITY,
    ];
    let limit: number = ramp.fromMs;
    const seen: { atMs: number; bytes: number }[] = [];
    return (view: View) => {
      pace = pace === 0 ? view.bytesPerSecond : pace + (view.bytesPerSecond - pace) * weight;
      const gib = Math.max(1, view.totalBytes / 2 ** 30);
      if (view.atMs >= secondsPerGib * gib * 1000) return { do: "abort", because: "its completion limit" };
      if (view.round < 2) return { do: "goOn" };
      if (bulkEndMs === 0) bulkEndMs = view.atMs;
      if (view.round > round) {
        round = view.round;
        const bytes = view.remainingBytes;
        const old = seen.filter(({ atMs }) => atMs <= view.atMs - progressMs).map((one) => one.bytes);
        seen.push({ atMs: view.atMs, bytes });
        if (stalledAtMs === 0 && old.length > 0 && bytes > Math.min(...old) * (1 - margin)) {
          stalledAtMs = view.atMs;
          best = bytes;
        } else if (stalledAtMs > 0) {
          const implied = pace > 0 ? (bytes / pace) * 1000 : Number.POSITIVE_INFINITY;
          const isMinimum = bytes <= best * (1 + margin) || view.atMs - stalledAtMs >= patienceMs;
          best = Math.min(best, bytes);
          if (isMinimum && implied <= mostDowntimeMs) return { do: "stop" };
          if (isMinimum && implied > 1.5 * mostDowntimeMs) return { do: "abort", because: "hopeless" };
          if (view.atMs - stalledAtMs >= patienceMs) [stalledAtMs, patienceMs] = [view.atMs, patienceMs / 2];
        }
      }
      const risen =
        ramp.fromMs + (ramp.toMs - ramp.fromMs) * Math.min(1, (view.atMs - bulkEndMs) / ramp.overMs);
      if (risen - limit < 10) return { do: "goOn" };
      limit = risen;
      return { do: "limit", downtimeMs: limit };
    };
  },
};
