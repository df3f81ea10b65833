/** The queue of moves: how many at once, in which order, and that every one gets its turn. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { movesAtOnce, nextMoves, type QueuedMove } from "../src/index.ts";

const move = (id: string, from: string, to: string, rest: Partial<QueuedMove> = {}): QueuedMove => ({
  ...{ id, from, to, enteredAt: 0, deadlineAt: null },
  ...rest,
});
const idsOf = (moves: readonly { id: string }[]): string[] => moves.map(({ id }) => id);
const four = () => 4;

test("a link bears one move below 1 Gbit/s, four from there on and eight from 10 Gbit/s on; unknown counts as 1 Gbit/s", () => {
  expect([null, 1e8, 9.4e8, 1e9, 2.5e9, 9.5e9, 1e10, 1e11].map(movesAtOnce)).toEqual([
    4, 1, 4, 4, 4, 8, 8, 8,
  ]);
});

test("who comes first begins first; who must end by a time comes before; hosts with room do not wait for others", () => {
  const underWay = [1, 2, 3, 4].map((n) => move(`run-${String(n)}`, "a", `h${String(n)}`));
  const waiting = [
    move("late", "a", "b", { enteredAt: 2 }),
    move("early", "a", "b", { enteredAt: 1 }),
    move("urgent", "a", "b", { enteredAt: 3, deadlineAt: 10 }),
    move("elsewhere", "c", "d", { enteredAt: 4 }),
  ];
  const turn = nextMoves({ underWay, waiting, limitOf: four });
  expect(idsOf(turn.begin)).toEqual(["elsewhere"]);
  expect(turn.waiting.map(({ move: { id }, ...why }) => ({ id, ...why }))).toEqual([
    { id: "urgent", host: "a", limit: 4, ahead: 0, behind: "run-1" },
    { id: "early", host: "a", limit: 4, ahead: 1, behind: "run-1" },
    { id: "late", host: "a", limit: 4, ahead: 2, behind: "run-1" },
  ]);
  const next = nextMoves({ underWay: underWay.slice(1), waiting, limitOf: four });
  expect(idsOf(next.begin)).toEqual(["urgent", "elsewhere"]);
});

const hosts = ["a", "b", "c", "d", "e"];
const ends = fc
  .tuple(fc.constantFrom(...hosts), fc.constantFrom(...hosts))
  .filter(([from, to]) => from !== to);
const moves = fc
  .array(fc.record({ ends, enteredAt: fc.nat(20), deadlineAt: fc.option(fc.nat(50)) }), { maxLength: 40 })
  .map((all) => all.map(({ ends: [from, to], ...rest }, index) => move(`m${String(index)}`, from, to, rest)));
const limits = fc.record(Object.fromEntries(hosts.map((host) => [host, fc.integer({ min: 0, max: 5 })])));

test("no host is in more moves than its limit, and whatever ends first, every move has its turn", () => {
  fc.assert(
    fc.property(moves, limits, fc.infiniteStream(fc.nat()), (all, limit, choices) => {
      const limitOf = (host: string) => limit[host] ?? 1;
      let waiting = all;
      let underWay: QueuedMove[] = [];
      const had = new Set<string>();
      while (waiting.length + underWay.length > 0) {
        const turn = nextMoves({ underWay, waiting, limitOf });
        underWay = [...underWay, ...turn.begin];
        waiting = turn.waiting.map((one) => one.move);
        for (const { id } of turn.begin) had.add(id);
        for (const host of hosts) {
          const count = underWay.filter(({ from, to }) => from === host || to === host).length;
          expect(count).toBeLessThanOrEqual(Math.max(1, limitOf(host)));
        }
        for (const { host, limit: told, behind } of turn.waiting) {
          expect(told).toBe(Math.max(1, limitOf(host)));
          expect(idsOf([...underWay, ...waiting])).toContain(behind);
        }
        // Something is always under way, so that the queue goes on.
        expect(underWay.length).toBeGreaterThan(0);
        const gone = (choices.next().value ?? 0) % underWay.length;
        underWay = underWay.filter((_, index) => index !== gone);
      }
      expect(had.size).toBe(all.length);
    }),
    { numRuns: 300 },
  );
});

test("the first that waits is never passed over: what comes later for its hosts leaves it the place", () => {
  fc.assert(
    fc.property(moves, (all) => {
      const waiting = [move("first", "a", "b", { enteredAt: -1, deadlineAt: -1 }), ...all];
      const underWay = [move("run", "b", "c")];
      const oneEach = () => 1;
      const turn = nextMoves({ underWay, waiting, limitOf: oneEach });
      expect(turn.waiting[0]?.move.id).toBe("first");
      expect(turn.begin.filter(({ from, to }) => from === "a" || to === "a")).toEqual([]);
    }),
  );
});
