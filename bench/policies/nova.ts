/**
 * OpenStack Nova with its defaults: the downtime limit rises in ten steps to 500 ms, 75 s per GiB each; after 800 s per GiB
 * the move is aborted, or forced on by post-copy or a pause where the operator has allowed it (here: post-copy).
 */
import type { Policy, View } from "./policy.ts";

const [steps, mostMs, stepSecondsPerGib, limitSecondsPerGib] = [10, 500, 75, 800];

export const nova: Policy = {
  name: "nova",
  after: "Nova's ten steps to 500 ms and 800 s/GiB, then force-complete by post-copy",
  downtimeMs: mostMs / steps,
  everyMs: 500,
  begin: () => {
    let step = 1;
    return ({ atMs, totalBytes }: View) => {
      const gib = Math.max(2, Math.ceil(totalBytes / 2 ** 30));
      if (atMs >= limitSecondsPerGib * gib * 1000) return { do: "postcopy" };
      const now = Math.min(steps, 1 + Math.floor(atMs / (stepSecondsPerGib * gib * 1000)));
      if (now === step) return { do: "goOn" };
      step = now;
      return { do: "limit", downtimeMs: (mostMs / steps) * step };
    };
  },
};
