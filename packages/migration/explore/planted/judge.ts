/**
 * Whether the explorer shows a mistake. Asked first what every exploration of the sound reducers asks: where each
 * answer is the sound one, the explorations are the same and find nothing. Where one differs, the explorer goes the
 * shortest way to it and searches on from there, with the mistaken reducers, from small bounds to larger ones.
 */
import { UnlistedTransition } from "../../src/index.ts";
import { neverMade } from "../coverage.ts";
import { decisionTable, tableBounds } from "../decisions.ts";
import { configurations, type ConfigurationName } from "../names.ts";
import { godwit, type Protocol } from "../protocol.ts";
import { Rules } from "../rules.ts";
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

/** From where a mistake shows: how many of the ways to it are followed, and how far it is searched on from there. */
interface Reach {
  ways: number;
  states: number;
  /** Faults beyond those on the way. */
  faults: number;
}

/** The first is enough for most of what is caught at all; all of them take less than the tests do. */
const near: readonly Reach[] = [
  { ways: 8, states: 600, faults: 0 },
  { ways: 60, states: 3_000, faults: 0 },
  { ways: 12, states: 10_000, faults: 1 },
];
const far: readonly Reach[] = [
  { ways: 200, states: 60_000, faults: 1 },
  { ways: 30, states: 150_000, faults: 2 },
];

const all = Number.POSITIVE_INFINITY;

/** Where it matters which entries of a journal must be written. */
const fullDisks: readonly Partial<Bounds>[] = [
  { faults: 1, kinds: ["takeWithFullDisk"] },
  { faults: 2, kinds: ["beginWithFullDisk", "agentDies"], states: 150_000 },
  { faults: 2, kinds: ["takeWithFullDisk", "hostDies"], states: 150_000 },
  { faults: 2, kinds: ["takeWithFullDisk", "agentDies"], states: 100_000 },
];

const soundTables = textOf([godwit.vitalSourceEntries, godwit.vitalDestinationEntries]);

/** One mistake before the explorer. */
export class Suspect {
  readonly #asked: Asked;
  readonly #protocol: Protocol;
  readonly #tables: Parameters<typeof neverMade>[1];
  readonly #differing: readonly Question[];
  readonly #rules = new Map<ConfigurationName, Rules>();

  constructor(some: Reducers, asked: Asked) {
    this.#asked = asked;
    this.#protocol = protocolOf(some, UnlistedTransition);
    this.#tables = { source: some.sourcePhases, destination: some.destinationPhases };
    this.#differing = asked.questions.filter((question) => !this.#isAnsweredAlike(question));
  }

  /** Quickly: from where it shows. */
  judgeNear(): Judgement {
    const [first] = this.#differing;
    const judged = (wrong: string | null): Judgement => ({
      wrong,
      differing: this.#differing.length,
      example: first === undefined ? "" : this.#differenceIn(first),
    });
    for (const question of this.#differing) {
      const thrown = this.#failureOf(question);
      if (thrown !== null) return judged(`it throws: ${thrown}`);
    }
    if (this.#differing.length > 0) return judged(this.#search(near));
    const { vitalSourceEntries, vitalDestinationEntries } = this.#protocol;
    if (textOf([vitalSourceEntries, vitalDestinationEntries]) !== soundTables)
      return judged(this.#searchAll(fullDisks));
    const known = new Set(neverMade([this.#asked]));
    const never = neverMade([this.#asked], this.#tables).filter((one) => !known.has(one));
    return judged(never.length === 0 ? null : `its table lists what is never made: ${never.join(", ")}`);
  }

  /**
   * Whether the table of decisions, which a test holds, would be another one. @param sound the table of the sound reducers
   * @returns the first line that differs; null: it is the same
   */
  judgeTable(sound: string): string | null {
    try {
      const lines = decisionTable(this.#protocol, tableBounds).split("\n");
      const written = sound.split("\n");
      const at = lines.findIndex((line, index) => line !== written[index]);
      if (at < 0) return lines.length === written.length ? null : "lines are missing";
      return `${written[at] ?? "nothing"} became ${lines[at] ?? "nothing"}`;
    } catch (error) {
      return `it throws: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  /** Thoroughly, for what the quick look and the tests have not shown. */
  judgeFar(): string | null {
    return this.#differing.length === 0 ? null : this.#search(far);
  }

  #answer({ of, args }: Question): unknown {
    return (this.#protocol[of] as (...args: readonly unknown[]) => unknown)(...args);
  }

  #isAnsweredAlike(question: Question): boolean {
    try {
      return textOf(this.#answer(question)) === question.answer;
    } catch {
      return false;
    }
  }

  /** Not the refusal of a transition that no table lists: that is for the explorer to see. */
  #failureOf(question: Question): string | null {
    try {
      this.#answer(question);
      return null;
    } catch (error) {
      return error instanceof UnlistedTransition ? null : String(error);
    }
  }

  #differenceIn(question: Question): string {
    const said = (): string => {
      try {
        return textOf(this.#answer(question));
      } catch (error) {
        return String(error);
      }
    };
    const { configuration, of, args, answer } = question;
    return `${configuration} ${of}(${textOf(args)}): ${answer} became ${said()}`;
  }

  /** In each kind of move in which it shows, those first in which it shows most often. */
  #search(reaches: readonly Reach[]): string | null {
    const byKind = Map.groupBy(this.#differing, ({ configuration }) => configuration);
    const kinds = [...byKind].sort((a, b) => b[1].length - a[1].length);
    for (const { ways, ...bounds } of reaches)
      for (const [name, questions] of kinds) {
        const paths = questions.map(({ path }) => path).sort((a, b) => a.length - b.length);
        const wrong = this.#explored(name, bounds, spread(paths, ways));
        if (wrong !== null) return wrong;
      }
    return null;
  }

  #searchAll(bounds: readonly Partial<Bounds>[]): string | null {
    for (const one of bounds)
      for (const name of Object.keys(configurations) as ConfigurationName[]) {
        const wrong = this.#explored(name, one, [[]]);
        if (wrong !== null) return wrong;
      }
    return null;
  }

  #explored(
    name: ConfigurationName,
    bounds: Partial<Bounds>,
    from: readonly (readonly number[])[],
  ): string | null {
    const protocol = this.#protocol;
    const configuration = configurations[name];
    try {
      const rules = this.#rules.get(name) ?? new Rules(protocol, configuration);
      this.#rules.set(name, rules);
      const found = explore({
        ...{ protocol, configuration, rules, from },
        bounds: { faults: 0, depth: all, states: all, ...bounds },
      });
      return found.violation === null ? null : `${name}: ${found.violation.what}`;
    } catch (error) {
      return `it throws: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
}

/** The shortest ways, and some of the others. */
function spread(ways: readonly (readonly number[])[], most: number): readonly (readonly number[])[] {
  if (ways.length <= most) return ways;
  const half = most / 2;
  const others = ways.slice(half);
  const step = others.length / half;
  return [
    ...ways.slice(0, half),
    ...Array.from({ length: half }, (_, index) => others[Math.floor(index * step)] ?? []),
  ];
}
