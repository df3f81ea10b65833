/**
 * The reducers as a table: in which phase what input leads to what. A line for each phase and input that an exploration meets, with
 * all that it may lead to: the next phase, and the effects in their order. What decides between several is in the states, of
 * which there are thousands: a digest of all questions and answers of a line stands for them.
 */
import { createHash } from "node:crypto";
import { configurations, type ConfigurationName } from "./names.ts";
import type { Protocol } from "./protocol.ts";
import { walkAtRandom } from "./random-walks.ts";
import { explore, type Bounds } from "./search.ts";

const all = Number.POSITIVE_INFINITY;

/** What is explored of each kind of move for the table in `test/decisions.txt`. */
export const tableBounds = { faults: 1, states: 60_000, walks: 1500 } as const;

/** And what comes late in a move, or only with several faults of one kind: whole, for those alone. */
export const narrowBounds: readonly (readonly [ConfigurationName, Pick<Bounds, "faults" | "kinds">])[] = [
  ...(Object.keys(configurations) as ConfigurationName[]).map(
    (name) => [name, { faults: 2, kinds: ["limits"] }] as const,
  ),
  ["kvm", { faults: 3, kinds: ["contRefused"] }],
  ["postcopy", { faults: 3, kinds: ["contRefused"] }],
  ["postcopy", { faults: 1, kinds: ["streamBreaks"] }],
];

interface Answered {
  /** Phase and input, or what else is asked. */
  line: string;
  outcome: string;
}

/** Enough of states, inputs and effects to give each its name. */
interface Named {
  at?: string;
  do?: string;
  type?: string;
  kind?: string;
  timer?: string;
  ask?: string;
  phase?: string;
  because?: string;
  message?: Named;
  answer?: Named;
  entry?: Named;
  decision?: Named;
  outcome?: Named;
  state?: Named;
  effects?: readonly Named[];
}

const words = (...parts: readonly (string | undefined)[]): string =>
  parts.filter((part) => part !== undefined).join(" ");

const inputText = ({ type, message, timer, answer, because }: Named): string =>
  words(type, message?.type, timer, answer?.kind, because);

const effectText = (effect: Named): string =>
  words(
    effect.do,
    ...[effect.timer, effect.message?.type, effect.entry?.at, effect.decision?.kind, effect.outcome?.kind],
  );

const stepText = ({ state, effects = [] }: Named): string =>
  `→ ${state?.phase ?? ""}${effects.length === 0 ? "" : `: ${effects.map(effectText).join(", ")}`}`;

/** How each question is named, and what its answer is. */
const readers: Record<string, (args: readonly unknown[], answer: unknown) => Answered> = {
  initialSource: (_, answer) => ({ line: "source begins", outcome: `→ ${(answer as Named).phase ?? ""}` }),
  startDestination: (_, answer) => ({ line: "destination begins", outcome: stepText(answer as Named) }),
  stepSource: (args, answer) => stepped("source", args, answer),
  stepDestination: (args, answer) => stepped("destination", args, answer),
  restoreSource: (args, answer) => restored("source", args, answer),
  restoreDestination: (args, answer) => restored("destination", args, answer),
  decideLease: ([, question], answer) => ({
    line: `lease: ${(question as Named).ask ?? ""}`,
    outcome: (answer as Named).kind ?? "",
  }),
  hearWithoutMove: ([known, , message], answer) => ({
    line: `without a move, ${words((known as Named).kind, (known as Named).outcome?.kind)}: ${String(message)}`,
    outcome: words((answer as Named).do, ((answer as Named).answer as Named | null | undefined)?.type),
  }),
};

const stepped = (half: string, [state, input]: readonly unknown[], answer: unknown): Answered => ({
  line: `${half} ${(state as Named).phase ?? ""}: ${inputText(input as Named)}`,
  outcome: stepText(answer as Named),
});

const restored = (half: string, [entries]: readonly unknown[], answer: unknown): Answered => ({
  line: `${half} starts again after ${(entries as readonly Named[]).at(-1)?.at ?? "nothing"}`,
  outcome: stepText(answer as Named),
});

/** @throws what the explorer throws of reducers that are wrong */
export function decisionTable(
  protocol: Protocol,
  bounds: { faults: number; states: number; walks: number },
): string {
  const answers = new Map<string, Answered>();
  const noted = { ...protocol, ...noting(protocol, answers) };
  const { walks, ...explored } = bounds;
  for (const name of Object.keys(configurations) as ConfigurationName[]) {
    const configuration = configurations[name];
    explore({ protocol: noted, configuration, bounds: { depth: all, ...explored } });
    walkAtRandom(noted, configuration, walks);
  }
  for (const [name, narrow] of narrowBounds)
    explore({
      protocol: noted,
      configuration: configurations[name],
      bounds: { depth: all, states: all, ...narrow },
    });
  const lines = Map.groupBy(answers, ([, { line }]) => line);
  return [...lines.keys()]
    .sort()
    .map((line) => lineText(line, lines.get(line) ?? []))
    .join("\n");
}

function noting(protocol: Protocol, answers: Map<string, Answered>): Partial<Protocol> {
  return Object.fromEntries(
    Object.entries(readers).map(([of, read]) => {
      const asked = protocol[of as keyof Protocol] as (...args: readonly unknown[]) => unknown;
      const note = (...args: readonly unknown[]): unknown => {
        const answer = asked(...args);
        const text = `${of} ${textOf(args)} ${textOf(answer)}`;
        if (!answers.has(text)) answers.set(text, read(args, answer));
        return answer;
      };
      return [of, note];
    }),
  );
}

/** Of a problem its code: a sentence may be written otherwise. Numbers that JSON has no word for are kept apart. */
const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) => {
    if (inner === Number.POSITIVE_INFINITY) return "infinite";
    if (inner === undefined) return "undefined";
    const { code, detail } = (inner ?? {}) as { code?: unknown; detail?: unknown };
    return code !== undefined && detail !== undefined ? { code } : inner;
  });

function lineText(line: string, answers: readonly (readonly [string, Answered])[]): string {
  const outcomes = [...new Set(answers.map(([, { outcome }]) => outcome))].sort();
  const digest = createHash("sha256");
  for (const text of answers.map(([one]) => one).sort()) digest.update(`${text}\n`);
  const head = `${line} (${String(answers.length)}, ${digest.digest("hex").slice(0, 12)})`;
  return `${[head, ...outcomes.map((outcome) => `    ${outcome}`)].join("\n")}\n`;
}
