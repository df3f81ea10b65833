/**
 * The course is chosen while the copy runs, by what the move may cost its VM (`auto/controller.ts`): pre-copy, with as
 * much throttling as the objective allows and no more; and, in the one of the two that may split memory, post-copy
 * where nothing else would end. Both QEMUs are set for it from the start, since capabilities are fixed once a copy runs.
 */
import { objectives } from "@godwit/contract";
import { beginAuto } from "../auto/auto-state.ts";
import { decideAuto } from "../auto/controller.ts";
import { qemuThrottleParameters, throttleParameters } from "../auto/throttle.ts";
import { beginCopy, isTrusted } from "../copy.ts";
import { postcopy } from "./postcopy.ts";
import {
  commonCapabilities,
  completeMemoryDestination,
  sourceParameters,
  unlessStalled,
  type Strategy,
} from "./strategy.ts";

export const autoPrecopy: Strategy = {
  name: "auto-precopy",
  requires: () => [],
  sourceSettings: (order, { objective }) => {
    const isThrottled = (objective?.maxSlowdown ?? 0) > 0;
    return {
      capabilities: { ...commonCapabilities, "auto-converge": isThrottled, "postcopy-ram": false },
      parameters: {
        ...sourceParameters(order, 1),
        ...(isThrottled ? throttleParameters(0) : qemuThrottleParameters),
      },
    };
  },
  destinationSettings: completeMemoryDestination,
  refusedAs: null,
  begin: (maxOutageMs, atMs, { trustedPasses, objective }) => ({
    ...beginCopy(maxOutageMs, atMs, trustedPasses),
    auto: beginAuto(objective ?? { name: "realtime", ...objectives.realtime }, atMs),
  }),
  decide: (before, sample) =>
    unlessStalled(before, sample, (state) =>
      isTrusted(state, sample.round) ? decideAuto(state, sample) : { state, decision: { kind: "unsafe" } },
    ),
  qemuStopsGuest: () => false,
  splitsMemory: false,
  commitsOn: ["completed"],
};

/** With post-copy as the last resort. */
export const auto: Strategy = {
  ...autoPrecopy,
  name: "auto",
  sourceSettings: (order, limits) => {
    const { capabilities, parameters } = autoPrecopy.sourceSettings(order, limits);
    return { capabilities: { ...capabilities, "postcopy-ram": true }, parameters };
  },
  destinationSettings: postcopy.destinationSettings,
  refusedAs: postcopy.refusedAs,
  splitsMemory: true,
  commitsOn: postcopy.commitsOn,
};
