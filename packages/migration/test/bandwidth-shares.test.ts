/** How hosts' ceilings are divided among their moves. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { shareBandwidth, type SharingMove } from "../src/bandwidth-shares.ts";

const move = (id: string, more: Partial<SharingMove> = {}): SharingMove => ({
  ...{ id, from: "a", to: "b", ceiling: null, deadline: null },
  ...more,
});
const of = (ceilings: Record<string, number>) => (host: string) => ceilings[host] ?? null;

test("where no host has a ceiling each move has its own, and no other limit", () => {
  const shares = shareBandwidth([move("x"), move("y", { ceiling: 5 })], of({}));
  expect([...shares]).toEqual([
    ["x", null],
    ["y", 5],
  ]);
});

test("a host's ceiling is divided evenly; what one cannot use the others have", () => {
  const shares = shareBandwidth([move("x"), move("y"), move("z", { ceiling: 10 })], of({ a: 100 }));
  expect(shares.get("z")).toBeCloseTo(10);
  expect(shares.get("x")).toBeCloseTo(45);
  expect(shares.get("y")).toBeCloseTo(45);
});

test("who has a deadline gets what it needs for it, the soonest first, and the others are not stopped", () => {
  const shares = shareBandwidth(
    [
      move("late", { deadline: { atMs: 2, needed: 80 } }),
      move("soon", { deadline: { atMs: 1, needed: 60 } }),
      move("any"),
    ],
    of({ a: 100 }),
  );
  expect(shares.get("soon")).toBeCloseTo(60);
  expect(shares.get("any")).toBeCloseTo(100 / 12);
  expect(shares.get("late")).toBeCloseTo(100 - 60 - 100 / 12);
});

const host = fc.constantFrom("a", "b", "c", "d");
const rate = fc.double({ min: 1, max: 1e10, noNaN: true });
const anyMove = fc.record({
  from: host,
  to: host,
  ceiling: fc.option(rate),
  deadline: fc.option(fc.record({ atMs: fc.nat(1000), needed: rate })),
});
const anyCeilings = fc.dictionary(host, rate);

test("whatever is asked: no ceiling is passed, nobody stands still, and nothing that somebody could use is left over", () => {
  fc.assert(
    fc.property(fc.array(anyMove, { minLength: 1, maxLength: 12 }), anyCeilings, (some, ceilings) => {
      const moves = some.map((one, index) => ({ ...one, id: String(index) }));
      const shares = shareBandwidth(moves, of(ceilings));
      const hostsOf = ({ from, to }: SharingMove) => [...new Set([from, to])];
      const used = (name: string) =>
        moves
          .filter((one) => hostsOf(one).includes(name))
          .reduce((sum, { id }) => sum + (shares.get(id) ?? Infinity), 0);
      for (const [name, ceiling] of Object.entries(ceilings))
        if (moves.some((one) => hostsOf(one).includes(name)))
          expect(used(name)).toBeLessThanOrEqual(ceiling * (1 + 1e-6));
      for (const one of moves) {
        const share = shares.get(one.id) ?? Infinity;
        expect(share).toBeLessThanOrEqual((one.ceiling ?? Infinity) * (1 + 1e-9));
        const floors = hostsOf(one).map((name) => {
          const count = moves.filter((other) => hostsOf(other).includes(name)).length;
          return ((ceilings[name] ?? Infinity) * 0.25) / count;
        });
        expect(share).toBeGreaterThanOrEqual(Math.min(one.ceiling ?? Infinity, ...floors) * (1 - 1e-6));
        const isFull =
          share >= (one.ceiling ?? Infinity) * (1 - 1e-5) ||
          hostsOf(one).some((name) => used(name) >= (ceilings[name] ?? Infinity) * (1 - 1e-5));
        expect(isFull || share === Infinity).toBe(true);
      }
    }),
  );
});
