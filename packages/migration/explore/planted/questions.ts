/**
 * Every question that the explorer asks the sound reducers, with their answer and a shortest way to it. A mistake that
 * changes no answer changes no exploration within the same bounds; one that does is looked for from where it
 * first shows, and not from the beginning.
 */
import { narrowBounds } from "../decisions.ts";
import { configurations, type ConfigurationName } from "../names.ts";
import { godwit, type Protocol } from "../protocol.ts";
import { walkAtRandom } from "../random-walks.ts";
import { explore, type Bounds } from "../search.ts";

export const askable = [
  "stepSource",
  "stepDestination",
  "restoreSource",
  "restoreDestination",
  "decideLease",
  "hearWithoutMove",
  "initialSource",
  "startDestination",
] as const;
export type Askable = (typeof askable)[number];

export interface Question {
  readonly configuration: ConfigurationName;
  readonly of: Askable;
  readonly args: readonly unknown[];
  /** The sound answer, as text. */
  readonly answer: string;
  /** The events up to the state in which it is asked. */
  readonly path: readonly number[];
}

/** What was asked, and the transitions that were made. */
export interface Asked {
  readonly questions: readonly Question[];
  readonly transitionsOf: { readonly source: readonly string[]; readonly destination: readonly string[] };
}

/** Numbers that JSON has no word for are kept apart. */
export const textOf = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    inner === Number.POSITIVE_INFINITY ? "infinite" : inner === undefined ? "undefined" : inner,
  );

const all = Number.POSITIVE_INFINITY;
const names = Object.keys(configurations) as ConfigurationName[];

const explorations: readonly (readonly [ConfigurationName, Partial<Bounds>])[] = [
  ...names.map((name) => [name, { faults: 1, states: 500_000 }] as const),
  ...names.map((name) => [name, { faults: 2, states: 100_000 }] as const),
  ...narrowBounds,
];

/** @param walks of each kind of move, through many faults */
export function askAll(walks: number, isQuick = false): Asked {
  const asking = new Asking();
  const made = { source: new Set<string>(), destination: new Set<string>() };
  for (const [name, bounds] of isQuick ? names.map((one) => [one, { faults: 0 }] as const) : explorations) {
    const found = explore({
      protocol: asking.protocol(name),
      configuration: configurations[name],
      bounds: { faults: 0, depth: all, states: all, ...bounds },
      looksAt: (wayTo) => (asking.wayHere = wayTo),
    });
    if (found.violation !== null) throw new Error(`the sound reducers are wrong: ${found.violation.what}`);
    for (const half of ["source", "destination"] as const)
      for (const transition of found.transitionsOf[half]) made[half].add(transition);
  }
  for (const name of names) asking.walk(name, walks);
  return {
    questions: [...asking.questions.values()],
    transitionsOf: { source: [...made.source], destination: [...made.destination] },
  };
}

class Asking {
  readonly questions = new Map<string, Question>();
  wayHere: () => number[] = () => [];

  protocol(configuration: ConfigurationName): Protocol {
    const asked = (of: Askable) => {
      const answered = godwit[of] as (...args: readonly unknown[]) => unknown;
      return (...args: readonly unknown[]): unknown => {
        const answer = answered(...args);
        const key = `${configuration} ${of} ${textOf(args)}`;
        if (!this.questions.has(key)) {
          const question = { configuration, of, args: structuredClone(args) };
          this.questions.set(key, { ...question, answer: textOf(answer), path: this.wayHere() });
        }
        return answer;
      };
    };
    return { ...godwit, ...(Object.fromEntries(askable.map((of) => [of, asked(of)])) as Partial<Protocol>) };
  }

  walk(configuration: ConfigurationName, walks: number): void {
    walkAtRandom(this.protocol(configuration), configurations[configuration], walks, (path) => {
      this.wayHere = () => [...path];
    });
  }
}
