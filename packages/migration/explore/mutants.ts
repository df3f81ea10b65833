/**
 * Plausible mistakes, each planted into the real reducers by a wrapper around them. The explorer must catch
 * every one: what it cannot catch, it does not check.
 */
import type {
  DestinationEntry,
  DestinationInput,
  DestinationState,
  DestinationStep,
  LeaseAnswer,
  SourceEntry,
  SourceInput,
  SourceState,
  SourceStep,
} from "../src/index.ts";
import type { EventKind } from "./layout.ts";
import { enterSourcePhase } from "../src/index.ts";
import type { Mutant } from "./mutant.ts";
import { disksMutants } from "./mutants-disks.ts";
import { guestMutants } from "./mutants-guest.ts";
import { limitsMutants } from "./mutants-limits.ts";
import { godwit, type Protocol } from "./protocol.ts";

const { stepSource, stepDestination, restoreSource, decideLease } = godwit;

type SourceRule = (state: SourceState, input: SourceInput) => SourceStep;
type DestinationRule = (state: DestinationState, input: DestinationInput) => DestinationStep;

const source = (name: string, rule: SourceRule, faults?: readonly EventKind[]): Mutant => ({
  name,
  protocol: { ...godwit, stepSource: rule },
  ...(faults === undefined ? {} : { faults }),
});
const destination = (name: string, rule: DestinationRule, faults?: readonly EventKind[]): Mutant => ({
  name,
  protocol: { ...godwit, stepDestination: rule },
  ...(faults === undefined ? {} : { faults }),
});

const problem = {
  type: "x",
  title: "x",
  status: 500,
  detail: "x",
  code: "X",
  remedy: "x",
  retry: "never",
  details: {},
} as const;
const commit: DestinationInput = { type: "message", message: { type: "commit" }, atMs: 0 };
const grantedAnswer: LeaseAnswer = { kind: "granted", mode: "EX", fenced: [] };
const granted: SourceInput = { type: "leaseAnswered", answer: grantedAnswer };
const running: SourceInput = { type: "message", message: { type: "running", commitToResumeMs: 0 }, atMs: 0 };

const hears = (input: SourceInput | DestinationInput, type: string): boolean =>
  input.type === "message" && input.message.type === type;
const fires = (input: SourceInput | DestinationInput, timer: string): boolean =>
  input.type === "timer" && input.timer === timer;
/** Whether the lease service's answer is of this kind. */
const answers = (input: SourceInput | DestinationInput, kind: LeaseAnswer["kind"]): boolean =>
  input.type === "leaseAnswered" && input.answer.kind === kind;
const isGranted = (input: SourceInput | DestinationInput): boolean =>
  input.type === "leaseAnswered" && input.answer.kind === "granted" && input.answer.mode === "EX";
const isRefused = (input: SourceInput | DestinationInput): boolean =>
  answers(input, "heldBy") || answers(input, "unknown");
const nothing = <State>(state: State) => ({ state, effects: [] });

/** One step, and what a second one does on top of it. */
function then<State, Input, Effect>(
  step: (state: State, input: Input) => { state: State; effects: readonly Effect[] },
  first: { state: State; effects: readonly Effect[] },
  input: Input,
): { state: State; effects: readonly Effect[] } {
  const second = step(first.state, input);
  return { state: second.state, effects: [...first.effects, ...second.effects] };
}

function withoutEntry(at: SourceEntry["at"] | DestinationEntry["at"], protocol: Protocol = godwit): Protocol {
  const forgets = <Step extends { effects: readonly { do: string }[] }>(step: Step): Step => ({
    ...step,
    effects: step.effects.filter(
      (effect) => !(effect.do === "journal" && (effect as { entry?: { at: string } }).entry?.at === at),
    ),
  });
  return {
    ...protocol,
    stepSource: (state, input) => forgets(protocol.stepSource(state, input)),
    stepDestination: (state, input) => forgets(protocol.stepDestination(state, input)),
    startDestination: (order) => forgets(protocol.startDestination(order)),
  };
}

export const mutants: readonly Mutant[] = [
  ...guestMutants,
  ...limitsMutants,
  ...disksMutants,
  source(
    "the source commits though its QEMU may have let the guest run on before it ended",
    (state, input) => stepSource(state, input.type === "qemuGone" ? { ...input, heardAll: true } : input),
    ["streamBreaks", "qemuDiesUnheard"],
  ),
  destination("the destination starts as soon as everything is loaded", (state, input) => {
    const step = stepDestination(state, input);
    return input.type === "loaded" && step.state.phase === "loaded"
      ? then(stepDestination, step, commit)
      : step;
  }),
  destination(
    "the destination starts when its lease became exclusive, without a commit",
    (state, input) => stepDestination(state, state.phase === "loaded" && isGranted(input) ? commit : input),
    ["streamBreaks", "hostDies"],
  ),
  destination(
    "the destination starts though the source holds its lease and is fresh",
    (state, input) => stepDestination(state, state.phase === "loaded" && isRefused(input) ? commit : input),
    ["streamBreaks", "timer"],
  ),
  destination("the destination never gives up a copy without a commit", (state, input) =>
    state.phase === "loaded" && fires(input, "commit") ? nothing(state) : stepDestination(state, input),
  ),
  {
    name: "the destination starts its QEMU though it could not write that the move begins",
    faults: ["beginWithFullDisk", "agentDies"],
    protocol: {
      ...godwit,
      vitalDestinationEntries: godwit.vitalDestinationEntries.filter((entry) => entry !== "started"),
    },
  },
  destination("the destination takes a commit after it has given up", (state, input) => {
    if (state.phase !== "givingUp" || !hears(input, "commit")) return stepDestination(state, input);
    return { state, effects: [{ do: "send", message: { type: "running", commitToResumeMs: 0 } }] };
  }),
  destination("the destination says that it gave up while its guest may run", (state, input) => {
    const step = stepDestination(state, input);
    if (state.phase !== "starting" || !fires(input, "retry") || input.type !== "timer") return step;
    return { ...step, effects: [...step.effects, { do: "send", message: { type: "gaveUp", problem } }] };
  }),
  destination("a destination whose running guest died gives the VM back", (state, input) =>
    state.phase === "running" && input.type === "qemuGone"
      ? stepDestination({ ...state, phase: "loaded" }, input)
      : stepDestination(state, input),
  ),
  destination(
    "a destination whose QEMU died before it answered cont gives the VM back",
    (state, input) =>
      state.phase === "starting" && input.type === "qemuGone"
        ? stepDestination({ ...state, phase: "loaded" }, input)
        : stepDestination(state, input),
    ["qemuDies", "timer"],
  ),
  source("the source resumes after the commit without asking for the lease", (state, input) =>
    stepSource(state, state.phase === "committed" && fires(input, "commit") ? granted : input),
  ),
  source("the source resumes after the commit though the destination was fenced", (state, input) =>
    stepSource(state, isGranted(input) ? granted : input),
  ),
  source("the source may be cancelled after the commit", (state, input) =>
    stepSource(
      state.phase === "committed" && input.type === "timer" ? { ...state, phase: "pausing" } : state,
      state.phase === "committed" && input.type === "timer" ? { type: "cancel" } : input,
    ),
  ),
  source("the source commits before QEMU has completed", (state, input) => {
    const step = stepSource(state, input);
    if (input.type !== "preSwitchover" || step.state.phase !== "switching") return step;
    return { ...step, effects: [...step.effects, { do: "send", message: { type: "commit" } }] };
  }),
  source("the source gives its lease back before its QEMU is ended", (state, input) => {
    const step = stepSource(state, input);
    const ends = step.state.phase === "cleaningUp" && step.effects.some((effect) => effect.do === "remove");
    return ends ? { ...step, effects: [{ do: "releaseLease" }, ...step.effects] } : step;
  }),
  source("the source throws its copy away as soon as the commit is sent", (state, input) => {
    const step = stepSource(state, input);
    return step.state.phase === "committed" && state.phase !== "committed"
      ? then(stepSource, step, running)
      : step;
  }),
  source("the source throws its copy away when the destination died without a commit", (state, input) =>
    hears(input, "died") && state.qemuAlive && state.phase !== "ended"
      ? stepSource({ ...state, phase: "committed" }, input)
      : stepSource(state, input),
  ),
  source("the source does not listen to a destination that gave up", (state, input) =>
    hears(input, "gaveUp") ? nothing(state) : stepSource(state, input),
  ),
  source("the source believes that its guest runs until STOP is heard", (state, input) => {
    const step = stepSource(state, input);
    const stops = step.effects.some((effect) => effect.do === "pauseVcpus");
    return stops ? { ...step, state: { ...step.state, guestRuns: true } } : step;
  }),
  source("the source never repeats its commit", (state, input) => {
    const step = stepSource(state, input);
    const isFirst = state.phase !== "committed";
    return isFirst
      ? step
      : {
          ...step,
          effects: step.effects.filter((one) => !(one.do === "send" && one.message.type === "commit")),
        };
  }),
  {
    name: "after a restart, a completed copy counts as not committed",
    protocol: {
      ...godwit,
      restoreSource: (entries, observed) => restoreSource(entries, { ...observed, copyCompleted: false }),
    },
  },
  { name: "the source forgets to write down that it copies", protocol: withoutEntry("copying") },
  {
    name: "the destination forgets to write down that it gives up",
    protocol: withoutEntry("givingUp"),
    faults: ["cut", "takeThenDie"],
  },
  { name: "nobody writes down that a move began", protocol: withoutEntry("started") },
  {
    name: "the lease is granted exclusively while others share it",
    protocol: {
      ...godwit,
      decideLease: (lease, question) => {
        const isExclusive =
          (question.ask === "acquire" || question.ask === "convert") && question.mode === "EX";
        const decision = decideLease(lease, question);
        if (!isExclusive || decision.kind !== "held") return decision;
        const holders = [
          ...lease.holders.filter(({ host }) => host !== question.host),
          { host: question.host, mode: "EX" as const },
        ];
        return { kind: "granted", lease: { ...lease, holders } };
      },
    },
  },
  {
    name: "a lease question that was overtaken counts all the same",
    protocol: {
      ...godwit,
      decideLease: (lease, question) => decideLease({ ...lease, heard: {} }, question),
    },
  },
  {
    name: "shared leases are given back by reconciliation, without being exclusive once",
    protocol: {
      ...godwit,
      reconcileLeases: (held, present, busy) =>
        godwit.reconcileLeases(
          held.map((lease) => ({ ...lease, mode: "EX" as const })),
          present,
          busy,
        ),
    },
  },
  ...leaseAnswerMutants(),
  {
    name: "a move that was refused begins all the same when it is asked for again",
    protocol: {
      ...godwit,
      hearWithoutMove: (known, moveId, message) =>
        godwit.hearWithoutMove(known.kind === "refused" ? { kind: "unknown" } : known, moveId, message),
    },
    faults: ["timer", "hostDies"],
  },
  {
    name: "a host says of a move that it never knew that the guest died there",
    protocol: {
      ...godwit,
      hearWithoutMove: (known, moveId, message) => {
        const heard = godwit.hearWithoutMove(known, moveId, message);
        if (heard.do === "begin" || heard.answer?.type !== "gaveUp") return heard;
        return { ...heard, answer: { type: "died", problem } };
      },
    },
  },
  source("a move goes from its copy straight to its clean-up", (state, input) =>
    stepSource(state, input).state.phase === "pausing"
      ? { state: enterSourcePhase(state, "cleaningUp"), effects: [] }
      : stepSource(state, input),
  ),
  ...postcopyMutants(),
];

/** Mistakes about what an answer of the lease service means. */
function leaseAnswerMutants(): Mutant[] {
  return [
    source(
      "a source whose copy has ended takes its destination's share for nobody's",
      (state, input) => stepSource(state, !state.qemuAlive && answers(input, "heldBy") ? granted : input),
      ["qemuDies", "timer"],
    ),
    source(
      "a source whose copy has ended does not ask again for the lease that was taken away",
      (state, input) => {
        const step = stepSource(state, input);
        return { ...step, effects: step.effects.filter((one) => one.do !== "reacquireLease") };
      },
      ["storageLost", "hostDies"],
    ),
    {
      ...source(
        "a source whose copy has ended waits though a third host has the lease",
        (state, input) => (answers(input, "heldBy") ? nothing(state) : stepSource(state, input)),
        ["storageLost", "hostDies", "thirdAsks"],
      ),
      mostFaults: 3,
    },
    source(
      "a source takes an answer that never came for a grant",
      (state, input) =>
        stepSource(state, state.phase === "committed" && answers(input, "unknown") ? granted : input),
      ["storageLost", "loseMessage"],
    ),
    destination("a destination whose share was taken away waits on", (state, input) =>
      answers(input, "notHeld") ? nothing(state) : stepDestination(state, input),
    ),
  ];
}

/** Mistakes that only a post-copy can show. */
function postcopyMutants(): Mutant[] {
  const postcopy = (mutant: Mutant): Mutant => ({ ...mutant, configuration: "postcopy" });
  const says = <Step extends { effects: readonly { do: string }[] }>(
    step: Step,
    from: string,
    to: object,
  ) => ({
    ...step,
    effects: step.effects.map((effect) => {
      const { message } = effect as { message?: { type: string } };
      return effect.do === "send" && message?.type === from ? { do: "send", message: to } : effect;
    }),
  });
  const found: Mutant[] = [
    source(
      "the source throws its half of the memory away as soon as the guest runs at the destination",
      (state, input) => stepSource(state, hears(input, "postcopyReceiving") ? running : input),
    ),
    destination("the destination says that it runs before it has all its memory", (state, input) => {
      const step = stepDestination(state, input);
      return says(step, "postcopyReceiving", { type: "running", commitToResumeMs: 0 });
    }),
    source(
      "a commit is said though the source's QEMU, and the rest of the memory with it, is gone",
      (state, input) => says(stepSource(state, input), "sourceQemuLost", { type: "commit" }),
    ),
    source("a broken stream is never made again", (state, input) => {
      const step = stepSource(state, input);
      return {
        ...step,
        effects: step.effects.filter((one) => !(one.do === "send" && one.message.type === "recover")),
      };
    }),
    destination(
      "the destination lets its guest run on though the rest of its memory is lost",
      (state, input) =>
        stepDestination(
          state.phase === "postcopyReceiving" && hears(input, "sourceQemuLost")
            ? { ...state, phase: "running" }
            : state,
          input,
        ),
    ),
    destination(
      "the destination says that its guest died before its QEMU is ended",
      (state, input) => {
        const step = stepDestination(state, input);
        if (state.phase !== "postcopyReceiving" || step.state.phase !== "died") return step;
        return { ...step, effects: [{ do: "send", message: { type: "died", problem } }, ...step.effects] };
      },
      ["qemuDies", "takeThenDie"],
    ),
    destination(
      "the destination gives half a copy up when no commit comes",
      (state, input) =>
        stepDestination(
          state.phase === "loaded" && isRefused(input) ? { ...state, phase: "receiving" } : state,
          state.phase === "loaded" && isRefused(input) ? { type: "loadFailed", reason: "x" } : input,
        ),
      ["loseMessage", "timer", "streamBreaks"],
    ),
    destination(
      "the destination says that it is ready with all its memory, so that the source commits before its QEMU has completed",
      (state, input) => {
        const step = stepDestination(state, input);
        const isWhole =
          step.state.phase === "loaded" && state.phase !== "loaded" && step.state.memoryComplete;
        return isWhole
          ? { ...step, effects: [{ do: "send", message: { type: "ready" } }, ...step.effects] }
          : step;
      },
      ["qemuDies"],
    ),
    source(
      "a source that cannot go on gives its lease back while its QEMU is being ended",
      (state, input) => {
        const step = stepSource(state, input);
        const isEnding = input.type === "copyStuck" && step.effects.some((effect) => effect.do === "remove");
        return isEnding ? { ...step, effects: [...step.effects, { do: "releaseLease" }] } : step;
      },
      ["qemuDies"],
    ),
    source("a post-copy that failed after its commit is taken back", (state, input) =>
      stepSource(
        state.phase === "committed" && input.type === "copyEnded" ? { ...state, phase: "switching" } : state,
        input,
      ),
    ),
    {
      name: "after a restart, a post-copy that has failed counts as not committed",
      protocol: {
        ...godwit,
        restoreSource: (entries, observed) => restoreSource(entries, { ...observed, copyFailed: false }),
      },
      faults: ["streamBreaks", "agentDies"],
    },
    {
      name: "after a restart, a post-copy counts as not committed",
      protocol: {
        ...godwit,
        restoreSource: (entries, observed) => restoreSource(entries, { ...observed, postcopy: null }),
      },
    },
  ];
  return found.map(postcopy);
}
