/** What earlier moves tell of the next: the pace of the link, and the time beside the copy. */
import { taskSchema, type MovePhase, type Task } from "@godwit/contract";
import { expect, test } from "vitest";
import { earlierMoves } from "../src/moves/earlier-moves.ts";

const at = (ms: number) => new Date(Date.UTC(2026, 0, 1) + ms).toISOString();
const id = "01890000-0000-7000-8000-000000000001";

interface Told {
  from?: string;
  bytes?: number;
  ceiling?: number | null;
  phases: [MovePhase, number][];
}

function moveTask({ from = "a", bytes = 100e6, ceiling = null, phases }: Told): Task {
  const [end, totalMs] = phases.at(-1) ?? ["planned", 0];
  return taskSchema.parse({
    ...{ id, kind: "vm.migrate", state: "succeeded", revision: 1, actor: "admin", parent: null },
    ...{
      description: "",
      subject: { kind: "vm", id, name: "web-1" },
      createdAt: at(0),
      endedAt: at(totalMs),
    },
    ...{ steps: [], error: null, waitingFor: null, cancellable: false, result: { host: "b" } },
    request: {
      ...{ vm: { id, name: "web-1" }, from, to: "b", maxOutageMs: 50, accelerator: "kvm" },
      ...{ strategy: "precopy", bandwidthBytesPerSecond: ceiling },
    },
    ...{ phase: end, progress: null },
    move: {
      ...{ id, vm: { id, name: "web-1" }, from, to: "b", strategy: "auto", phase: end, maxOutageMs: 50 },
      phases: phases.map(([phase, ms]) => ({ phase, at: at(ms) })),
      ...{
        progress: null,
        decisions: [],
        backOuts: 0,
        stopToContMs: 20,
        qemuDowntimeMs: 9,
        bytes,
        rounds: 2,
      },
      ...{ encrypted: true, totalMs, error: null },
    },
  });
}

const usual = (besideMs: number, copyMs = 1000): Told["phases"] => [
  ["planned", 0],
  ["preparing", 10],
  ["copying", besideMs / 2],
  ["switching", besideMs / 2 + copyMs],
  ["committed", besideMs / 2 + copyMs + 30],
  ["succeeded", besideMs + copyMs + 30],
];

test("of two moves nothing is said; of three, their paces and what they took beside the copy", () => {
  const two = [moveTask({ phases: usual(1000) }), moveTask({ phases: usual(1200) })];
  expect(earlierMoves(two, "a", "b")).toEqual({ linkBytesPerSecond: null, besideMs: null });
  const three = [...two, moveTask({ phases: usual(1400, 2000) })];
  expect(earlierMoves(three, "a", "b")).toEqual({
    linkBytesPerSecond: { spread: { p10: 50e6, p50: 100e6, p90: 100e6 }, moves: 3 },
    besideMs: { spread: { p10: 1000, p50: 1200, p90: 1400 }, moves: 3 },
  });
});

test("other hosts' moves, and moves that failed, tell nothing", () => {
  const others = [1, 2, 3].map(() => moveTask({ from: "c", phases: usual(1000) }));
  const failed = [1, 2, 3].map(() =>
    moveTask({
      phases: [
        ["planned", 0],
        ["failed", 40_000],
      ],
    }),
  );
  expect(earlierMoves([...others, ...failed], "a", "b")).toEqual({
    linkBytesPerSecond: null,
    besideMs: null,
  });
});

test("a move with a ceiling does not tell the link's pace, and post-copy is part of the copy", () => {
  const told: Told = {
    ceiling: 1e6,
    phases: [
      ["planned", 0],
      ["preparing", 10],
      ["copying", 500],
      ["switching", 1500],
      ["committed", 1520],
      ["postcopy", 1540],
      ["succeeded", 9540],
    ],
  };
  const moves = [1, 2, 3].map(() => moveTask(told));
  const { linkBytesPerSecond, besideMs } = earlierMoves(moves, "a", "b");
  expect(linkBytesPerSecond).toBeNull();
  expect(besideMs?.spread.p50).toBe(520);
});
