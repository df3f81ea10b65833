/** What runs a reducer, when the reducer has a bug. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MoveId } from "@godwit/contract";
import { enterSourcePhase, type SourcePhase } from "@godwit/migration";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Journal } from "../src/moves/journal.ts";
import { ReducerRunner, type Step } from "../src/moves/reducer-runner.ts";

interface State {
  readonly phase: SourcePhase;
}
interface Input {
  type: "jump" | "copy";
}
interface Effect {
  do: "remove";
}

/** Goes from its first phase straight to its clean-up, which the table does not list. */
class Jumping extends ReducerRunner<State, Input, { at: string }, never, Effect> {
  override readonly role = "source";
  readonly done: string[] = [];

  hear(type: Input["type"]): void {
    this.give({ type });
  }
  protected override step(state: State, { type }: Input): Step<State, Effect> {
    const phase = type === "jump" ? "cleaningUp" : "preparing";
    return { state: enterSourcePhase(state, phase), effects: [{ do: "remove" }] };
  }
  protected override perform(effect: Effect): void {
    this.done.push(effect.do);
  }
  protected override changed(): void {
    return;
  }
  protected override runnerInput(): Input {
    return { type: "copy" };
  }
  protected override isVital(): boolean {
    return true;
  }
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-runner-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test("a transition that the table does not list is refused and logged, nothing of it is done, and the move goes on", async () => {
  const lines: string[] = [];
  const log = pino({ level: "error" }, { write: (line: string) => void lines.push(line) });
  const id = "11111111-1111-4111-8111-111111111111" as MoveId;
  const journal = await Journal.open<{ at: string }>(folder, id, "source");
  const half = new Jumping({ phase: "sharingLease" }, journal, log, null);
  half.hear("jump");
  await new Promise((resolve) => setImmediate(resolve));
  expect(half.state.phase).toBe("sharingLease");
  expect(half.done).toEqual([]);
  expect(lines.join("")).toMatch(/the source of a move cannot go from sharingLease to cleaningUp/);
  half.hear("copy");
  await new Promise((resolve) => setImmediate(resolve));
  expect(half.state.phase).toBe("preparing");
  expect(half.done).toEqual(["remove"]);
  await journal.close();
});
