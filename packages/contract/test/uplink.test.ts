/** Uplinks as they are written, and as a host has them. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { interfaceNameSchema, uplinkIn, uplinkOf, uplinkSchema } from "../src/index.ts";

const card = fc.stringMatching(/^[A-Za-z0-9._-]{1,15}$/).filter((name) => !/^\.{1,2}$/.test(name));

test("cards with + between them are a bond of a name that the kernel takes, and are read back", () => {
  fc.assert(
    fc.property(fc.uniqueArray(card, { minLength: 1, maxLength: 8 }), (cards) => {
      const text = cards.join("+");
      expect(uplinkSchema.safeParse(text).success).toBe(true);
      const { uplink, bond } = uplinkIn(text);
      expect(interfaceNameSchema.safeParse(uplink).success).toBe(true);
      expect(bond?.cards ?? [uplink]).toEqual(cards);
      expect(uplinkOf({ uplink, bond })).toBe(text);
    }),
  );
  expect(uplinkOf(uplinkIn(null))).toBeNull();
});

test.each([
  "",
  "+eno2",
  "eno2+",
  "eno2++eno3",
  "eno2+eno2",
  ".",
  "eno2+..",
  "a b",
  "x".repeat(16),
  "1+2+3+4+5+6+7+8+9",
])("%j is no uplink", (text) => {
  expect(uplinkSchema.safeParse(text).success).toBe(false);
});
