/**
 * One pass: QEMU stops the guest at the end of the first pass over its memory, and all that changed since is sent
 * while it stands still. For QEMUs whose further passes lose writes. How much that is shows only when the guest stands
 * still, so the budget goes on counting in QEMU's last step; a copy that would need a second pass is not finished.
 */
import { beginCopy, isTrusted, stalledForMs, watchSending } from "../copy.ts";
import { commonCapabilities, sourceParameters, type Strategy } from "./strategy.ts";

export const singlePass: Strategy = {
  name: "single-pass",
  requires: () => [],
  sourceSettings: (order) => ({
    // Throttling works from the second pass on only.
    capabilities: { ...commonCapabilities, "auto-converge": false, "postcopy-ram": false },
    parameters: sourceParameters(order, 0),
  }),
  destinationSettings: { capabilities: { ...commonCapabilities, "postcopy-ram": false }, parameters: {} },
  refusedAs: null,
  begin: (maxOutageMs, atMs, { trustedPasses }) => beginCopy(maxOutageMs, atMs, trustedPasses),
  decide(before, sample) {
    const state = watchSending(before, sample);
    const forMs = stalledForMs(state, sample);
    if (forMs !== null) return { state, decision: { kind: "stalled", forMs } };
    return { state, decision: { kind: isTrusted(state, sample.round) ? "continue" : "unsafe" } };
  },
  qemuStopsGuest: () => true,
  splitsMemory: false,
  commitsOn: ["completed"],
};
