/** The two reducers in a world where everything may fail: never twice, and in the end somewhere. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  destinationTransitions,
  initialSource,
  isCancellable,
  sourceTransitions,
  stepSource,
} from "../src/index.ts";
import { order, World } from "./world.ts";

/** A random source that a seed repeats. */
function chooser(seed: number): (n: number) => number {
  let state = seed >>> 0 || 1;
  return (n) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return n <= 0 ? 0 : ((state ^ (state >>> 13)) >>> 0) % n;
  };
}

/** A storm of `steps`, then calm until nothing goes on. */
function live(seed: number, steps: number): World {
  const world = new World(chooser(seed));
  for (let i = 0; i < steps && world.step(); i++);
  world.stormy = false;
  for (let i = 0; i < 3000 && !world.isQuiet; i++) world.step();
  return world;
}

test("whatever fails, the guest never runs twice, and when faults stop it runs on exactly one host or its process died", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 0x7fffffff }), fc.integer({ min: 0, max: 120 }), (seed, steps) => {
      const world = live(seed, steps);
      const { sourceQemu, destinationQemu, story } = world;
      const told = () => `seed ${String(seed)}, ${String(steps)} steps\n${story.join("\n")}`;
      if (!world.isQuiet) throw new Error(`it never ends: ${told()}`);
      const runs = Number(sourceQemu.running) + Number(destinationQemu.running);
      const died = story.some((line) => line.endsWith("QEMU dies"));
      if (runs !== 1 && !died) throw new Error(`it runs on ${String(runs)} hosts: ${told()}`);
      // Who runs it can make the lease its own.
      if (destinationQemu.running && world.leases.has("a"))
        throw new Error(`the source kept its lease: ${told()}`);
    }),
    {
      numRuns: 20_000,
      // The same worlds each time; GODWIT_SEED=2 and so on are others. The examples are worlds that once had no end.
      seed: Number(process.env.GODWIT_SEED ?? 1),
      examples: [
        [2029048069, 99],
        [3738688748, 40],
      ],
    },
  );
});

test("without faults every move succeeds", () => {
  for (let seed = 1; seed <= 500; seed++) {
    const world = live(seed, 0);
    expect(world.source?.outcome).toEqual({ kind: "moved" });
    expect(world.destination?.outcome).toEqual({ kind: "runs" });
    expect(world.destinationQemu.running).toBe(true);
    expect(world.sourceQemu.alive).toBe(false);
    expect([...world.leases]).toEqual([["b", "EX"]]);
  }
});

test("each phase of the tables can be left, but the last", () => {
  for (const table of [sourceTransitions, destinationTransitions]) {
    for (const [phase, next] of Object.entries(table))
      expect((next as readonly string[]).length === 0).toBe(phase === "ended");
  }
});

test("a cancellation after the switch changes nothing", () => {
  const committed = { ...initialSource(order, "10.0.2"), phase: "committed" as const };
  expect(isCancellable(committed)).toBe(false);
  expect(stepSource(committed, { type: "cancel" })).toEqual({ state: committed, effects: [] });
});
