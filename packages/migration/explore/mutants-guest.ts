/** Mistakes about guests that stand still on their own account: paused by the user, by an I/O error, or shut down. */
import type { DestinationEntry, SourceEntry } from "../src/index.ts";
import type { Mutant } from "./mutant.ts";
import { godwit } from "./protocol.ts";

const { restoreSource, stepDestination, stepSource } = godwit;

/** A step without one entry of its journal. */
const without = <Step extends { effects: readonly { do: string }[] }>(
  at: SourceEntry["at"] | DestinationEntry["at"],
  step: Step,
): Step => ({
  ...step,
  effects: step.effects.filter(
    (effect) => !(effect.do === "journal" && (effect as { entry?: { at: string } }).entry?.at === at),
  ),
});

export const guestMutants: readonly Mutant[] = [
  {
    name: "the destination lets a guest run that was paused at the source",
    configuration: "kvmPaused",
    protocol: {
      ...godwit,
      stepDestination: (state, input) =>
        stepDestination(
          state,
          input.type === "message" && input.message.type === "commit"
            ? { ...input, message: { type: "commit" } }
            : input,
        ),
    },
  },
  {
    name: "a move that is undone lets a guest run that was paused",
    configuration: "kvmPaused",
    faults: ["cancel"],
    protocol: {
      ...godwit,
      stepSource: (state, input) => {
        const step = stepSource(state, input);
        const effects = step.effects.map((effect) =>
          effect.do === "activateDisks" ? ({ do: "resumeVcpus" } as const) : effect,
        );
        return { ...step, effects };
      },
    },
  },
  {
    name: "a switch that is backed out lets a guest run that was paused",
    configuration: "kvmPaused",
    faults: ["timer"],
    protocol: {
      ...godwit,
      stepSource: (state, input) => {
        const step = stepSource(state, input);
        if (state.phase !== "pausing" || step.state.phase !== "copying") return step;
        return { ...step, effects: [...step.effects, { do: "resumeVcpus" }] };
      },
    },
  },
  {
    name: "after a restart, a paused guest counts as one that ran",
    configuration: "kvmPaused",
    faults: ["agentDies"],
    protocol: {
      ...godwit,
      restoreSource: (entries, observed) =>
        restoreSource(
          entries.map((entry) => (entry.at === "started" ? { at: "started", order: entry.order } : entry)),
          observed,
        ),
    },
  },
  {
    name: "the destination forgets to write down that a paused guest is there",
    configuration: "kvmPaused",
    faults: ["agentDies", "takeThenDie", "hostDies"],
    protocol: {
      ...godwit,
      stepDestination: (state, input) =>
        without("running", without("arrived", stepDestination(state, input))),
    },
  },
  {
    name: "the destination says that a paused guest is there though that could not be written down",
    configuration: "kvmPaused",
    faults: ["takeWithFullDisk", "agentDies"],
    protocol: {
      ...godwit,
      stepDestination: (state, input) => {
        const step = stepDestination(state, input);
        return step.state.unwritten ? { ...step, state: { ...step.state, unwritten: false } } : step;
      },
    },
  },
  {
    name: "a guest that an I/O error stopped during the copy is let run at the destination",
    faults: ["guestStops"],
    protocol: {
      ...godwit,
      stepSource: (state, input) =>
        input.type === "guestPaused" ? { state, effects: [] } : stepSource(state, input),
    },
  },
  {
    name: "a guest that has shut itself down is moved",
    faults: ["guestShutsDown"],
    protocol: {
      ...godwit,
      stepSource: (state, input) =>
        stepSource(
          state,
          input.type === "guestPaused" ? { type: "guestPaused", pauseReason: "io-error" } : input,
        ),
    },
  },
];
