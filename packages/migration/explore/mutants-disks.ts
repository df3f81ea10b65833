/** Mistakes about disks that move with their VM: which images are whole, and from which of them the VM can be started. */
import type { SourceStep } from "../src/index.ts";
import type { EventKind } from "./layout.ts";
import type { Mutant } from "./mutant.ts";
import { godwit, type Protocol } from "./protocol.ts";

const { stepSource, stepDestination, restoreDestination } = godwit;

const apart = (name: string, changes: Partial<Protocol>, faults?: readonly EventKind[]): Mutant => ({
  name,
  protocol: { ...godwit, ...changes },
  configuration: "apart",
  ...(faults === undefined ? {} : { faults }),
});

const without = (step: SourceStep, effect: SourceStep["effects"][number]["do"]): SourceStep => ({
  ...step,
  effects: step.effects.filter((one) => one.do !== effect),
});

export const disksMutants: readonly Mutant[] = [
  apart("the last of the memory is sent before the mirrors of the disks have ended", {
    stepSource: (state, input) => {
      const step = stepSource(state, input);
      const isEnding = step.state.phase === "endingDisks" && state.phase !== "endingDisks";
      return isEnding ? stepSource(step.state, { type: "disksEnded", atMs: 1000 }) : step;
    },
  }),
  apart("the source removes its images when it commits", {
    stepSource: (state, input) => {
      const step = stepSource(state, input);
      const commits = step.state.phase === "committed" && state.phase !== "committed";
      return commits ? { ...step, effects: [...step.effects, { do: "removeDisks" }] } : step;
    },
  }),
  apart("the source gives its lease back while it still describes the VM", {
    stepSource: (state, input) => {
      const step = stepSource(state, input);
      if (input.type !== "removed" || state.phase !== "cleaningUp") return step;
      return { ...step, effects: [{ do: "releaseLease" }] };
    },
  }),
  apart(
    "the destination gives its share back while its images are still there",
    {
      stepDestination: (state, input) => {
        const step = stepDestination(state, input);
        if (input.type !== "removed" || state.phase !== "givingUp") return step;
        return {
          ...step,
          effects: step.effects.map((effect) =>
            effect.do === "removeDisks" ? ({ do: "releaseLease" } as const) : effect,
          ),
        };
      },
    },
    ["cancel"],
  ),
  apart(
    "the destination lets the guest run before it is written down that it takes it over",
    {
      stepDestination: (state, input) => {
        const step = stepDestination(state, input);
        const isTaking = (effect: (typeof step.effects)[number]) =>
          effect.do === "journal" && effect.entry.at === "takingOver";
        return { ...step, effects: step.effects.filter((effect) => !isTaking(effect)) };
      },
    },
    ["agentDies", "qemuDies", "takeThenDie"],
  ),
  apart(
    "a destination whose QEMU is gone does not say that it has taken nothing over",
    {
      restoreDestination: (entries, observed) =>
        restoreDestination(
          entries.some(({ at }) => at === "prepared") && !entries.some(({ at }) => at === "takingOver")
            ? [...entries, { at: "takingOver" }]
            : entries,
          observed,
        ),
    },
    ["hostDies", "qemuDies", "agentDies"],
  ),
  apart(
    "a mirror that fails is passed over",
    {
      stepSource: (state, input) =>
        input.type === "disksFailed"
          ? stepSource(state, { type: "disksEnded", atMs: 1000 })
          : stepSource(state, input),
    },
    ["disksFail"],
  ),
  apart(
    "the images at the source are removed though the destination's host is off for ever",
    {
      stepSource: (state, input) =>
        stepSource(state.phase === "cleaningUp" ? { ...state, keepsDisks: false } : state, input),
    },
    ["hostDies"],
  ),
  apart(
    "a switch is backed out when its mirrors have ended, and the copy goes on",
    {
      stepSource: (state, input) =>
        input.type === "timer" && input.timer === "budget" && state.phase === "endingDisks"
          ? without(stepSource({ ...state, phase: "pausing" }, input), "cancelCopy")
          : stepSource(state, input),
    },
    ["timer"],
  ),
];
