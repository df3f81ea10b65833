/**
 * Explores every state that can be reached with at most so many faults, breadth first, so that the way to
 * whatever is wrong is a shortest one. Then, from every state: when faults stop, does each way lead on to
 * a good end?
 */
import { apply } from "./happen.ts";
import { end, endWithoutFaults } from "./judge.ts";
import { FAULT, FAULTS, fieldCount, kindOf, LASTING, PROMPT, type EventKind, type State } from "./layout.ts";
import type { Configuration } from "./names.ts";
import { enumerate } from "./possible.ts";
import type { Protocol } from "./protocol.ts";
import { Rules } from "./rules.ts";
import { Store } from "./store.ts";
import { World } from "./world.ts";

export interface Bounds {
  /** Faults of any kinds, at any moments. */
  faults: number;
  /** Events from the beginning. */
  depth: number;
  /** States; the search stops there and says so. */
  states: number;
  /** The only kinds of faults that happen; all of them where none are named. */
  kinds?: readonly EventKind[];
}

export interface Violation {
  what: string;
  /** The events that lead there. */
  path: number[];
}

export interface Exploration {
  states: number;
  transitions: number;
  /** Events on the longest shortest path. */
  depth: number;
  /** Every state within the bound of faults was seen. */
  complete: boolean;
  violation: Violation | null;
  seconds: number;
  bytes: number;
  /** Transitions of the two halves that the reducers made, as `from → to`. */
  transitionsOf: { readonly source: readonly string[]; readonly destination: readonly string[] };
  /** States from which a good end was looked for, and what that took. */
  ends: number;
  checked: number;
}

export interface Search {
  protocol: Protocol;
  configuration: Configuration;
  bounds: Bounds;
  /** Of the protocol and configuration: what it was asked before need not be asked again. */
  rules?: Rules;
  /**
   * Ways from the beginning: it searches from where they lead, and only from there; their faults do not count. One with
   * an event that is not possible is followed up to there.
   */
  from?: readonly (readonly number[])[];
  /** Is called before each state that is searched on from, with a way to it. */
  looksAt?: (wayTo: () => number[]) => void;
}

export function explore({ protocol, configuration, bounds, from, rules, looksAt }: Search): Exploration {
  const startedAt = performance.now();
  const world = new World(rules ?? new Rules(protocol, configuration));
  const store = new Store(fieldCount);
  const state: State = new Uint16Array(fieldCount);
  const result: Exploration = {
    states: 0,
    transitions: 0,
    depth: 0,
    complete: true,
    violation: null,
    seconds: 0,
    bytes: 0,
    transitionsOf: { source: [], destination: [] },
    ends: 0,
    checked: 0,
  };
  const first = begin(world, store, from ?? [[]], result);
  let levelEnd = store.size;
  search: for (let index = first; result.violation === null && index < store.size; index++) {
    if (index === levelEnd) {
      result.depth += 1;
      levelEnd = store.size;
    }
    if (result.depth >= bounds.depth || store.size - first >= bounds.states) {
      result.complete = false;
      break;
    }
    store.read(index, state);
    looksAt?.(() => store.pathTo(index));
    const faults = faultsOf(state);
    enumerate(world, state, false, faults < bounds.faults);
    const { events, classes } = world;
    for (let i = 0; i < events.length; i++) {
      const isFault = classes[i] === FAULT;
      if (isFault && faults >= bounds.faults) continue;
      const event = events[i] ?? 0;
      if (isFault && bounds.kinds?.includes(kindOf(event)) === false) continue;
      apply(world, state, event);
      if (isFault) world.now[FAULTS] = withFault(state[FAULTS] ?? 0, event);
      result.transitions += 1;
      if (world.violation !== null) {
        result.violation = { what: world.violation, path: [...store.pathTo(index), event] };
        break search;
      }
      store.add(world.now, index, event);
    }
  }
  result.states = store.size - first;
  if (result.violation === null) lookForEnds(world, store, first, result, mostInACalm);
  result.bytes = store.bytes;
  const { source, destination } = world.rules;
  result.transitionsOf = { source: [...source.transitions], destination: [...destination.transitions] };
  result.seconds = (performance.now() - startedAt) / 1000;
  return result;
}

/** Of a state that is only passed on the way to one that is searched on from. */
const passed = 0xffff;
/** Something has failed, or the user no longer wishes the move. On a way that is only passed faults do not count otherwise. */
const troubled = 0x100;
/** That a move's limits change is counted like a fault, but the move must succeed all the same. */
const isTrouble = (event: number): boolean => kindOf(event) !== "limits";
const withFault = (faults: number, event: number): number => (faults + 1) | (isTrouble(event) ? troubled : 0);
const faultsOf = (state: State): number => (state[FAULTS] ?? 0) & (troubled - 1);

/** Enters where the ways lead, after the states on them. @returns the first state that is searched on from */
function begin(
  world: World,
  store: Store,
  ways: readonly (readonly number[])[],
  result: Exploration,
): number {
  const start = world.initial();
  const state = start.slice();
  if (ways.some((way) => way.length === 0)) {
    store.add(start, 0, 0);
    return 0;
  }
  start[FAULTS] = passed;
  store.add(start, 0, 0);
  const lasts = ways.map((way) => {
    state.set(start);
    let last = { from: 0, event: 0, state: start.slice() };
    let index = 0;
    let trouble = 0;
    for (const event of way) {
      enumerate(world, state);
      const place = world.events.indexOf(event);
      if (place < 0) break;
      if (world.classes[place] === FAULT && isTrouble(event)) trouble = troubled;
      apply(world, state, event);
      if (world.violation !== null)
        result.violation ??= { what: world.violation, path: [...store.pathTo(index), event] };
      world.now[FAULTS] = trouble;
      last = { from: index, event, state: world.now.slice() };
      world.now[FAULTS] = passed;
      state.set(world.now);
      index = store.add(state, index, event);
    }
    return last;
  });
  const first = store.size;
  for (const last of lasts) store.add(last.state, last.from, last.event);
  return first;
}

/** The longest calm that the sound reducers were seen to need has 137 states: one with so many never comes to rest. */
const mostInACalm = 5000;

const [UNKNOWN, GOOD, OPEN] = [0, 1, 2] as const;

/**
 * In a calm everything happens at once and in one order, and what waits (timers, a dead host that is
 * booted or fenced, reconciliation of leases) happens only when nothing else does. All orders of what waits are followed. A
 * state is good when it is a good end or when each way from it stays among states that can reach one. States that
 * never stop becoming more are no end either.
 */
function lookForEnds(world: World, store: Store, first: number, result: Exploration, most: number): void {
  let verdicts = new Uint8Array(store.size + 1024);
  const state: State = new Uint16Array(fieldCount);
  const seen = store.size;
  // The part of the calm that is not yet known to be good, and who leads to whom in it.
  const part: number[] = [];
  const from: number[] = [];
  const to: number[] = [];
  for (let root = first; root < seen; root++) {
    if (verdicts[root] === GOOD) continue;
    part.length = from.length = to.length = 0;
    part.push(root);
    verdicts[root] = OPEN;
    for (const index of part) {
      store.read(index, state);
      enumerate(world, state, true);
      result.checked += 1;
      const { events } = world;
      const isPrompt = world.classes[0] === PROMPT || world.classes[0] === LASTING;
      if (events.length === 0) {
        const wrong =
          end(world, state) ?? (((state[FAULTS] ?? 0) & troubled) === 0 ? endWithoutFaults(state) : null);
        if (wrong !== null) {
          result.violation = { what: wrong, path: store.pathTo(index) };
          return;
        }
        result.ends += 1;
        verdicts[index] = GOOD;
        continue;
      }
      for (let one = 0; one < (isPrompt ? 1 : events.length); one++) {
        const event = events[one] ?? 0;
        apply(world, state, event);
        if (world.violation !== null) {
          result.violation = { what: world.violation, path: [...store.pathTo(index), event] };
          return;
        }
        const next = store.add(world.now, index, event);
        if (part.length > most) {
          result.violation = { what: "it goes on and on", path: store.pathTo(next) };
          return;
        }
        if (next >= verdicts.length) {
          const larger = new Uint8Array(verdicts.length * 2);
          larger.set(verdicts);
          verdicts = larger;
        }
        from.push(index);
        to.push(next);
        if (verdicts[next] === UNKNOWN) {
          verdicts[next] = OPEN;
          part.push(next);
        }
      }
    }
    spreadGood(verdicts, from, to);
    const stuck = part.find((index) => verdicts[index] !== GOOD);
    if (stuck !== undefined) {
      result.violation = { what: "it goes on for ever", path: store.pathTo(stuck) };
      return;
    }
  }
}

/** Who leads to a good state is good. Backwards, as most ways lead forwards: seldom more than twice. */
function spreadGood(verdicts: Uint8Array, from: readonly number[], to: readonly number[]): void {
  for (let hasChanged = true; hasChanged;) {
    hasChanged = false;
    for (let edge = from.length - 1; edge >= 0; edge--) {
      const earlier = from[edge] ?? 0;
      if (verdicts[earlier] === GOOD || verdicts[to[edge] ?? 0] !== GOOD) continue;
      verdicts[earlier] = GOOD;
      hasChanged = true;
    }
  }
}

/** The events told in words. */
export function tell(
  { protocol, configuration }: Pick<Search, "protocol" | "configuration">,
  path: number[],
): string[] {
  const world = new World(new Rules(protocol, configuration));
  const lines: string[] = [];
  world.tell = (line) => lines.push(line);
  let state = world.initial();
  for (const event of path) {
    apply(world, state, event);
    state = world.now.slice();
  }
  return lines;
}
