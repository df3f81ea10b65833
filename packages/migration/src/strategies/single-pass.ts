/**
 * One pass: QEMU stops the guest at the end of the first pass over its memory, and all that changed since is sent
 * while it stands still. For QEMUs whose further passes lose writes. How much that is shows only when the guest stands
 * still, so the budget goes on counting in QEMU's last step; a copy that would need a second pass is not finished.
 */
import { beginCopy, isTrusted } from "../copy.ts";
import {
  commonCapabilities,
  completeMemoryDestination,
  sourceParameters,
  unlessStalled,
  type Strategy,
} from "./strategy.ts";

export const singlePass: Strategy = {
  name: "single-pass",
  requires: () => [],
  sourceSettings: (order) => ({
    // Throttling works from the second pass on only.
    capabilities: { ...commonCapabilities, "auto-converge": false, "postcopy-ram": false },
    parameters: sourceParameters(order, 0),
  }),
  destinationSettings: completeMemoryDestination,
  refusedAs: null,
  begin: (maxOutageMs, atMs, { trustedPasses }) => beginCopy(maxOutageMs, atMs, trustedPasses),
  decide: (before, sample) =>
    unlessStalled(before, sample, (state) => ({
      state,
      decision: { kind: isTrusted(state, sample.round) ? "continue" : "unsafe" },
    })),
  qemuStopsGuest: () => true,
  splitsMemory: false,
  commitsOn: ["completed"],
};
