/**
 * Post-copy: the memory is sent once; then the guest is stopped and goes on at the destination, and what it had
 * changed meanwhile follows. It always ends, but until everything is there the VM is lost with either of the two QEMUs.
 * Where what is left after the first pass fits the budget, the guest goes over with all its memory instead.
 */
import { finding } from "@godwit/contract";
import { beginCopy, isTrusted, type CopySample, type CopyState } from "../copy.ts";
import { switchIfItFits, tellsAll } from "./precopy.ts";
import {
  commonCapabilities,
  sourceParameters,
  unlessStalled,
  type CopyStep,
  type Strategy,
} from "./strategy.ts";

export const postcopy: Strategy = {
  name: "postcopy",
  requires({ destination: { host, postcopyUnavailable } }) {
    if (postcopyUnavailable === null) return [];
    return [finding("POSTCOPY_UNAVAILABLE", { host, reason: postcopyUnavailable })];
  },
  sourceSettings: (order, { trustedPasses }) => ({
    capabilities: { ...commonCapabilities, "auto-converge": false, "postcopy-ram": true },
    parameters: sourceParameters(order, trustedPasses === 1 ? 0 : 1),
  }),
  destinationSettings: {
    capabilities: { ...commonCapabilities, "postcopy-ram": true, "postcopy-blocktime": true },
    parameters: {},
  },
  refusedAs: "POSTCOPY_UNAVAILABLE",
  begin: (maxOutageMs, atMs, { trustedPasses }) => beginCopy(maxOutageMs, atMs, trustedPasses),
  decide: (before, sample) =>
    unlessStalled(before, sample, (state) =>
      state.trustedPasses === 1 ? inTheOnlyPass(state, sample) : afterTheFirstPass(state, sample),
    ),
  qemuStopsGuest: ({ trustedPasses }) => trustedPasses === 1,
  splitsMemory: true,
  commitsOn: ["completed", "destinationReady"],
};

/** Once that pass has ended it is too late: QEMU has stopped the guest then, and all that changed must be sent. */
function inTheOnlyPass(state: CopyState, { round, remainingBytes, totalBytes }: CopySample): CopyStep {
  if (!isTrusted(state, round)) return { state, decision: { kind: "unsafe" } };
  if (remainingBytes === 0 || remainingBytes > totalBytes / 2)
    return { state, decision: { kind: "continue" } };
  const decision = { kind: "postcopy", round, remainingBytes, because: "halfOfTheOnlyRound" } as const;
  return { state, decision: { kind: "switch", memory: "split", decision } };
}

function afterTheFirstPass(state: CopyState, sample: CopySample): CopyStep {
  const step = switchIfItFits(state, sample);
  if (step.decision.kind === "switch" || !tellsAll(sample)) return step;
  const { round, remainingBytes } = sample;
  const decision = { kind: "postcopy", round, remainingBytes, because: "everythingSentOnce" } as const;
  return { state: step.state, decision: { kind: "switch", memory: "split", decision } };
}
