/** Persistent reservations: what `sg_persist` prints, the keys, and the rules one by one. What comes of them together: `fencing.test.ts`. */
import { GodwitError } from "@godwit/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isGodwits, isKeyOf, keyOf, mostGeneration } from "../src/reservations/reservation-key.ts";
import {
  keysToTake,
  mayActivate,
  notFenced,
  stepOf,
  type LunHere,
} from "../src/reservations/reservation-rules.ts";
import { keysIn, reservationIn, type LunReservations } from "../src/reservations/sg-persist.ts";

const code = (action: () => unknown): string => {
  try {
    action();
    return "none";
  } catch (error) {
    return GodwitError.is(error) ? error.code : "other";
  }
};

describe("keys", () => {
  test("are of their host, of Godwit's, and 64 bits", () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.string(),
        fc.integer({ min: 0, max: mostGeneration }),
        (host, other, generation) => {
          const key = keyOf(host, generation);
          expect(key).toMatch(/^67[0-9a-f]{14}$/);
          expect(isGodwits(key)).toBe(true);
          expect(isKeyOf(host, key)).toBe(true);
          expect(isKeyOf(other, key)).toBe(other === host);
        },
      ),
    );
  });
  test("are the same on every host, for ever", () => {
    expect(keyOf("host-a", 31)).toBe("67e878e5fc65001f");
    expect(keyOf("a", 1)).not.toBe(keyOf("a", 2));
  });
});

describe("what sg_persist prints", () => {
  const keys =
    "  PR generation=0x4, 2 registered reservation keys follow:\n    0x67010203040506aa\n    0x1\n";
  test("keys", () => {
    expect(keysIn(keys)).toEqual({ generation: "0x4", keys: ["67010203040506aa", "0000000000000001"] });
    expect(
      keysIn("  PR generation=0x1, 1 registered reservation key follows:\n    0xab\n").keys,
    ).toHaveLength(1);
    expect(keysIn("  PR generation=0x0, there are NO registered reservation keys\n")).toEqual({
      generation: "0x0",
      keys: [],
    });
  });
  test("a reservation", () => {
    const held = (type: string) =>
      `  PR generation=0x4, Reservation follows:\n    Key=0x67010203040506aa\n    scope: LU_SCOPE,  type: ${type}\n`;
    expect(reservationIn(held("Write Exclusive, registrants only")).reservation).toEqual({
      key: "67010203040506aa",
      isRegistrantsOnly: true,
    });
    expect(reservationIn(held("Exclusive Access")).reservation?.isRegistrantsOnly).toBe(false);
    expect(reservationIn("  PR generation=0x4, there is NO reservation held\n").reservation).toBeNull();
  });
  test("anything else is an error, and never none", () => {
    for (const text of [
      "",
      "PR in (Read keys): Unit attention",
      keys.replace("2 registered", "3 registered"),
      keys.replace("0x1\n", "1\n"),
      `${keys}    0x2\n`,
      keys.replace("2 registered reservation keys follow:", "there are NO registered reservation keys"),
    ])
      expect(
        code(() => keysIn(text)),
        text,
      ).toBe("PROGRAM_FAILED");
    for (const text of [
      "",
      "  PR generation=0x4, Reservation follows:\n    Key=0x67010203040506aa\n",
      "  PR generation=0x4, Reservation follows:\n    scope: LU_SCOPE,  type: Write Exclusive\n",
      "  PR generation=0x4, there is NO reservation held\n    Key=0x1\n",
      `  PR generation=0x4, Reservation follows:\n    Key=0x1\n    scope: 3 ,  type: Write Exclusive, registrants only\n`,
    ])
      expect(
        code(() => reservationIn(text)),
        text,
      ).toBe("PROGRAM_FAILED");
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(code(() => keysIn(text))).toBe("PROGRAM_FAILED");
        expect(code(() => reservationIn(text))).toBe("PROGRAM_FAILED");
      }),
    );
  });
});

describe("steps", () => {
  const [mine, theirs] = [keyOf("a", 1), keyOf("b", 1)];
  const reserved = { key: theirs, isRegistrantsOnly: true };
  const here = (over: Partial<Omit<LunHere, "seen">>, seen: Partial<LunReservations>): LunHere => ({
    ...{ host: "a", isWanted: true, ownKey: mine, arePathsSame: true, hasDeadPath: false },
    ...{ hasActiveVolumes: true, ...over },
    seen: { generation: "0x1", keys: [mine, theirs], reservation: reserved, ...seen },
  });
  test.each<[string, LunHere, string]>([
    ["registered", here({}, {}), "none"],
    ["the key was taken away under running VMs", here({}, { keys: [theirs] }), "endVms"],
    ["the same, with no VMs", here({ hasActiveVolumes: false }, { keys: [theirs] }), "register"],
    ["the LUN has lost everything", here({}, { keys: [], reservation: null }), "register"],
    ["a new path under running VMs", here({ arePathsSame: false }, {}), "none"],
    ["a new path, nothing reserved", here({ arePathsSame: false }, { reservation: null }), "unregister"],
    ["an earlier agent's key", here({ ownKey: null }, {}), "adopt"],
    ["never registered, reserved by others", here({ ownKey: null }, { keys: [theirs] }), "none"],
    ["turned off", here({ isWanted: false }, {}), "clear"],
    [
      "turned off, and cleared by another",
      here({ isWanted: false }, { keys: [], reservation: null }),
      "forget",
    ],
    ["off", here({ isWanted: false, ownKey: null }, {}), "none"],
  ])("%s", (_, given, step) => {
    expect(stepOf(given)).toBe(step);
  });
  test("a VM comes to a host only where the LUN takes what any of its paths brings", () => {
    expect(mayActivate(here({}, {}))).toBe(true);
    for (const not of [{ arePathsSame: false }, { hasDeadPath: true }, { ownKey: null }]) {
      expect(mayActivate(here(not, {}))).toBe(false);
      expect(mayActivate(here(not, { reservation: null }))).toBe(true);
    }
  });
  test("nobody is fenced by what is not known", () => {
    const own = { host: "b", ownKey: theirs };
    const seen = { generation: "0x1", keys: [mine, theirs], reservation: reserved };
    expect(keysToTake(own, "a", null, seen)).toEqual({ keys: [mine] });
    for (const not of [
      { ...seen, reservation: null },
      { ...seen, reservation: { ...reserved, isRegistrantsOnly: false } },
      { ...seen, reservation: { ...reserved, key: "00000000000000aa" } },
      { ...seen, keys: [mine] },
      { ...seen, keys: [theirs] },
    ])
      expect(keysToTake(own, "a", null, not)).toHaveProperty("problem");
    expect(notFenced(own, [mine], { ...seen, keys: [theirs] })).toBeNull();
    for (const not of [
      seen,
      { ...seen, keys: [] },
      { ...seen, keys: [theirs], reservation: null },
      { ...seen, keys: [theirs], reservation: { ...reserved, key: mine } },
    ])
      expect(notFenced(own, [mine], not)).not.toBeNull();
  });
});
