/** Mistakes about limits that are changed while a move goes on: they change its pace, and nothing of who may run. */
import { enterSourcePhase, type SourcePhase, type SourceStep } from "../src/index.ts";
import type { Mutant } from "./mutant.ts";
import { godwit } from "./protocol.ts";

const { stepSource } = godwit;

/** What other limits lead to in one phase, in place of what is right. */
const onLimitsIn = (name: string, phase: SourcePhase, step: (right: SourceStep) => SourceStep): Mutant => ({
  name,
  faults: ["limits"],
  mostFaults: 1,
  protocol: {
    ...godwit,
    stepSource: (state, input) => {
      const right = stepSource(state, input);
      return input.type === "limits" && state.phase === phase ? step(right) : right;
    },
  },
});

export const limitsMutants: readonly Mutant[] = [
  onLimitsIn("other limits end the copy", "copying", ({ state }) => ({
    state: { ...state, copy: null },
    effects: [{ do: "cancelCopy" }],
  })),
  onLimitsIn(
    "other limits of the pause back a switch out that cannot be backed out any more",
    "switching",
    ({ state }) => ({
      state,
      effects: [{ do: "cancelCopy" }, { do: "resumeVcpus" }],
    }),
  ),
  onLimitsIn("other limits take a move back that has committed", "committed", ({ state }) => ({
    state: enterSourcePhase({ ...state, problem: null }, "undoing"),
    effects: [{ do: "resumeVcpus" }],
  })),
];
