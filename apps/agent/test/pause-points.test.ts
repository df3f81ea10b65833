/** A move that is held stands still, what happens meanwhile waits, and everything goes on when it is let go. */
import { access, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MoveId } from "@godwit/contract";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Journal } from "../src/moves/journal.ts";
import { PausePoints, pausePoints } from "../src/moves/pause-points.ts";
import { ReducerRunner, type Step } from "../src/moves/reducer-runner.ts";

interface State {
  readonly phase: string;
}
type Input = { type: string; message?: { type: string } };
type Effect = { do: "journal"; entry: { at: string } } | { do: "shareLease" } | { do: "remove" };

/** A half of a move that only tells what it takes in and does. */
class Listener extends ReducerRunner<State, Input, { at: string }, never, Effect> {
  override readonly role = "source";
  readonly course: string[] = [];

  hear(input: Input): void {
    this.give(input);
  }
  protected override step(state: State, input: Input): Step<State, Effect> {
    this.course.push(`heard ${input.message?.type ?? input.type}`);
    if (input.type !== "start") return { state, effects: [] };
    return { state, effects: [{ do: "journal", entry: { at: "started" } }, { do: "shareLease" }] };
  }
  protected override perform(effect: Effect): void {
    this.course.push(`did ${effect.do}`);
  }
  protected override changed(): void {
    return;
  }
  protected override runnerInput(): Input {
    return { type: "timer" };
  }
  protected override isVital(): boolean {
    return true;
  }
}

let folder: string;
let journal: Journal<{ at: string }>;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-pauses-"));
  const id = "11111111-1111-4111-8111-111111111111" as MoveId;
  journal = await Journal.open(join(folder, "moves"), id, "source");
});
afterEach(async () => {
  await journal.close();
  await rm(folder, { recursive: true });
});

const listener = (phase: string, pauses: PausePoints | null): Listener =>
  new Listener({ phase }, journal, pino({ level: "silent" }), pauses);
const reached = (name: string) =>
  access(join(folder, `${name}.reached`)).then(
    () => true,
    () => false,
  );

test("a move stands still after its journal's entry, and goes on in order when the hold is gone", async () => {
  await writeFile(join(folder, "validated.hold"), "");
  const move = listener("sharingLease", PausePoints.in(folder));
  move.hear({ type: "start" });
  move.hear({ type: "cancel" });
  await expect.poll(() => reached("validated")).toBe(true);
  expect(move.course).toEqual(["heard start"]);
  await rm(join(folder, "validated.hold"));
  await expect.poll(() => move.course).toEqual(["heard start", "did shareLease", "heard cancel"]);
});

test("a message is held before it is taken in", async () => {
  await writeFile(join(folder, "prepared.hold"), "");
  const move = listener("preparing", PausePoints.in(folder));
  move.hear({ type: "message", message: { type: "prepared" } });
  await expect.poll(() => reached("prepared")).toBe(true);
  expect(move.course).toEqual([]);
  await rm(join(folder, "prepared.hold"));
  await expect.poll(() => move.course).toEqual(["heard prepared"]);
});

test("what is not held is not waited for: another point, another role, another phase", async () => {
  for (const name of Object.keys(pausePoints)) {
    if (name !== "prepared") await writeFile(join(folder, `${name}.hold`), "");
  }
  const move = listener("preparing", PausePoints.in(folder));
  move.hear({ type: "start" });
  move.hear({ type: "message", message: { type: "prepared" } });
  move.hear({ type: "resumed" });
  await expect
    .poll(() => move.course)
    .toEqual(["heard start", "did shareLease", "heard prepared", "heard resumed"]);
});

test("without a folder there are no pause points", async () => {
  expect(PausePoints.in(undefined)).toBeNull();
  expect(PausePoints.in("")).toBeNull();
});
