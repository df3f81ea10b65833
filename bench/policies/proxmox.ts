/**
 * Proxmox VE: auto-converge always on, 100 ms at first; the limit is doubled after six looks, a second apart, in which
 * what is left did not shrink, without a bound that matters. It never gives up.
 */
import { autoConverge } from "./auto-converge.ts";
import type { Policy } from "./policy.ts";

export const proxmox: Policy = {
  name: "proxmox",
  after: "Proxmox VE: auto-converge, 100 ms doubled after six looks without a gain, no end",
  downtimeMs: 100,
  everyMs: 1000,
  begin: () => {
    let [limit, still, last] = [100, 0, Number.POSITIVE_INFINITY];
    const throttle = autoConverge();
    return (view) => {
      still = view.remainingBytes >= last ? still + 1 : still;
      last = view.remainingBytes;
      if (still <= 5) return throttle(view);
      still = 0;
      limit = Math.min(2_000_000, limit * 2);
      return { do: "limit", downtimeMs: limit };
    };
  },
};
