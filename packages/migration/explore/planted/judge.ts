/**
 * Whether the explorer shows a mistake. Asked first what every exploration of the sound reducers asks: where each
 * answer is the sound one, the explorations are the same and find nothing. Where one differs, the explorer goes the
 * shortest way to it and searches on from there, with the mistaken reducers, from small bounds to larger ones.
 */
import { UnlistedTransition } from "../../src/index.ts";
import { neverMade } from "../coverage.ts";
import { configurations, type ConfigurationName } from "../names.ts";
import { godwit, type Protocol } from "../protocol.ts";
import { explore, type Bounds } from "../search.ts";
import { textOf, type Asked, type Question } from "./questions.ts";
import { protocolOf, type Reducers } from "./reducers.ts";

export interface Judgement {
  /** What the explorer says is wrong; null: nothing. */
  readonly wrong: string | null;
  /** How many questions are answered otherwise, of those that were asked. */
  readonly differing: number;
  /** An example of them, for people. */
  readonly example: string;
}

const mostWays = 60;
const all = Number.POSITIVE_INFINITY;
/** No exploration of the sound reducers with these bounds is larger: a mistake that makes it so is one that shows. */
const mostStates = 4_000_000;

/** From where it shows: states, and faults beyond those on the way. */
const nearBounds = { states: 3_000, more: 0 } as const;
const farBounds = [
  { states: 12_000, more: 1 },
  { states: 80_000, more: 1 },
] as const;

/** Where it matters which entries of a journal must be written. */
const fullDisks: readonly Partial<Bounds>[] = [
  { faults: 1, kinds: ["takeWithFullDisk"] },
  { faults: 2, kinds: ["takeWithFullDisk", "agentDies", "qemuDies"] },
];

/** Quickly: from where it shows. */
export function judgeNear(some: Reducers, asked: Asked): Judgement {
  const protocol = protocolOf(some, UnlistedTransition);
  const tables = { source: some.sourcePhases, destination: some.destinationPhases };
  const differing = asked.questions.filter((question) => !isAnsweredAlike(protocol, question));
  const [first] = differing;
  const example = first === undefined ? "" : differenceIn(protocol, first);
  const judged = (wrong: string | null): Judgement => ({ wrong, differing: differing.length, example });
  const thrown = differing.map((question) => failureOf(protocol, question)).find((text) => text !== null);
  if (thrown !== undefined) return judged(`it throws: ${thrown}`);
  if (differing.length === 0) {
    if (!hasSoundLists(some)) return judged(searched(protocol, fullDisks));
    const known = new Set(neverMade([asked]));
    const never = neverMade([asked], tables).filter((one) => !known.has(one));
    return judged(never.length === 0 ? null : `its table lists what is never made: ${never.join(", ")}`);
  }
  return judged(searchedFrom(protocol, differing, nearBounds));
}

/** Thoroughly, for what the quick look and the tests have not shown. */
export function judgeFar(some: Reducers, asked: Asked): string | null {
  const protocol = protocolOf(some, UnlistedTransition);
  const differing = asked.questions.filter((question) => !isAnsweredAlike(protocol, question));
  if (differing.length === 0) return null;
  for (const bounds of farBounds) {
    const wrong = searchedFrom(protocol, differing, bounds);
    if (wrong !== null) return wrong;
  }
  return null;
}

const hasSoundLists = (some: Reducers): boolean =>
  textOf([some.vitalSourceEntries, some.vitalDestinationEntries]) ===
  textOf([godwit.vitalSourceEntries, godwit.vitalDestinationEntries]);

const answerOf = (protocol: Protocol, { of, args }: Question): unknown =>
  (protocol[of] as (...args: readonly unknown[]) => unknown)(...args);

function isAnsweredAlike(protocol: Protocol, question: Question): boolean {
  try {
    return textOf(answerOf(protocol, question)) === question.answer;
  } catch {
    return false;
  }
}

/** Not the refusal of a transition that no table lists: that is for the explorer to see. */
function failureOf(protocol: Protocol, question: Question): string | null {
  try {
    answerOf(protocol, question);
    return null;
  } catch (error) {
    return error instanceof UnlistedTransition ? null : String(error);
  }
}

function differenceIn(protocol: Protocol, question: Question): string {
  const said = (): string => {
    try {
      return textOf(answerOf(protocol, question));
    } catch (error) {
      return String(error);
    }
  };
  return `${question.configuration} ${question.of}(${textOf(question.args)}): ${question.answer} became ${said()}`;
}

function searchedFrom(
  protocol: Protocol,
  differing: readonly Question[],
  { states, more }: { states: number; more: number },
): string | null {
  const kinds = Map.groupBy(differing, ({ configuration }) => configuration);
  for (const [name, questions] of [...kinds].sort((a, b) => b[1].length - a[1].length)) {
    // Those that many faults lead to are looked at apart: they do not set the bound for all.
    const byFaults = Map.groupBy(questions, ({ faults }) => (faults <= 1 ? 1 : faults <= 3 ? 3 : 7));
    for (const [faults, some] of [...byFaults].sort((a, b) => a[0] - b[0])) {
      const ways = spread(some.map(({ path }) => path).sort((a, b) => a.length - b.length));
      const wrong = explored(
        protocol,
        name,
        { faults: faults + more, states: states + lengthOf(ways) },
        ways,
      );
      if (wrong !== null) return wrong;
    }
  }
  return null;
}

/** The shortest ways, and some of the others. */
function spread(ways: readonly (readonly number[])[]): readonly (readonly number[])[] {
  if (ways.length <= mostWays) return ways;
  const half = mostWays / 2;
  const others = ways.slice(half);
  const step = others.length / half;
  return [
    ...ways.slice(0, half),
    ...Array.from({ length: half }, (_, index) => others[Math.floor(index * step)] ?? []),
  ];
}

const lengthOf = (ways: readonly (readonly number[])[]): number =>
  ways.reduce((sum, { length }) => sum + length, 0);

function searched(protocol: Protocol, bounds: readonly Partial<Bounds>[]): string | null {
  for (const one of bounds)
    for (const name of Object.keys(configurations) as ConfigurationName[]) {
      const wrong = explored(protocol, name, { states: mostStates, ...one }, []);
      if (wrong !== null) return wrong;
    }
  return null;
}

function explored(
  protocol: Protocol,
  name: ConfigurationName,
  bounds: Partial<Bounds>,
  from: readonly (readonly number[])[],
): string | null {
  try {
    const found = explore({
      ...{ protocol, configuration: configurations[name], from },
      bounds: { faults: 0, depth: all, states: mostStates, ...bounds },
    });
    if (found.violation !== null) return `${name}: ${found.violation.what}`;
    return bounds.states === mostStates && found.states >= mostStates ? "it goes on and on" : null;
  } catch (error) {
    return `it throws: ${error instanceof Error ? error.message : String(error)}`;
  }
}
