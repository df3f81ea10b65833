/** What is divided, and what holds of every division. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { entitlements, type ShareNode } from "../../src/load/resource-pools.ts";

const leaf = (name: string, demand: number, more: Partial<ShareNode> = {}): ShareNode => ({
  ...{ name, demand, shares: 1 },
  ...more,
});
const given = (root: ShareNode, capacity: number) => Object.fromEntries(entitlements(root, capacity));

describe("shares", () => {
  test("belong to the pool, however many VMs are in it", () => {
    const many = Array.from({ length: 9 }, (_, index) => leaf(`m${String(index)}`, 10));
    const root = {
      ...{ name: "root", shares: 1 },
      children: [
        { name: "gold", shares: 2, children: [leaf("g", 100)] },
        { name: "silver", shares: 1, children: many },
      ],
    };
    expect(given(root, 30)).toMatchObject({ g: 20, m0: expect.closeTo(10 / 9, 9) as number });
  });

  test("what one does not want goes to the others", () => {
    const root = { name: "root", shares: 1, children: [leaf("a", 2), leaf("b", 50), leaf("c", 50)] };
    expect(given(root, 30)).toEqual({ a: 2, b: 14, c: 14 });
  });

  test("a reservation comes first, and a limit holds even when there is more", () => {
    const root = {
      ...{ name: "root", shares: 1 },
      children: [leaf("a", 20, { reservation: 18 }), leaf("b", 20), leaf("c", 20, { limit: 3 })],
    };
    expect(given(root, 24)).toEqual({ a: 18, b: 3, c: 3 });
    expect(given(root, 100)).toEqual({ a: 20, b: 20, c: 3 });
  });

  test("more promised than there is: all promises shrink alike", () => {
    const root = {
      ...{ name: "root", shares: 1 },
      children: [leaf("a", 20, { reservation: 20 }), leaf("b", 10, { reservation: 10 })],
    };
    expect(given(root, 15)).toEqual({ a: 10, b: 5 });
  });
});

const tree = fc.letrec<{ node: ShareNode }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3 },
    fc.record({
      name: fc.uuid(),
      shares: fc.nat(10),
      demand: fc.nat(20),
      reservation: fc.nat(5),
      limit: fc.nat(25),
    }),
    fc.record({
      ...{ name: fc.uuid(), shares: fc.nat(10), reservation: fc.nat(5), limit: fc.nat(40) },
      children: fc.array(tie("node"), { minLength: 1, maxLength: 4 }),
    }),
  ),
})).node;

test("nobody gets more than it wants or may have, nor all together more than there is", () => {
  fc.assert(
    fc.property(tree, fc.nat(100), (root, capacity) => {
      const result = entitlements(root, capacity);
      const total = [...result.values()].reduce((sum, one) => sum + one, 0);
      expect(total).toBeLessThanOrEqual(capacity + 1e-6);
      const visit = (node: ShareNode): number => {
        const own =
          node.children === undefined
            ? (result.get(node.name) ?? 0)
            : node.children.reduce((sum, child) => sum + visit(child), 0);
        expect(own).toBeLessThanOrEqual((node.limit ?? Infinity) + 1e-6);
        if (node.children === undefined) expect(own).toBeLessThanOrEqual((node.demand ?? 0) + 1e-6);
        return own;
      };
      visit(root);
    }),
  );
});
