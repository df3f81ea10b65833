/** What runs a reducer, when the reducer has a bug. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MoveId } from "@godwit/contract";
import { enterSourcePhase, type SourcePhase } from "@godwit/migration";
import { sleep } from "@godwit/system";
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

type Heard = { type: "begin" | "over" } | { type: "timer"; timer: "budget" };
type Timed = { do: "arm"; timer: "budget"; afterMs: number } | { do: "disarm"; timer: "budget" };
interface Journaled {
  do: "journal";
  entry: { at: string };
}

/** Arms a timer when it begins, writes something down, and disarms it when it is over. */
class Budget extends ReducerRunner<State, Heard, { at: string }, "budget", Timed | Journaled> {
  override readonly role = "source";
  readonly taken: string[] = [];

  hear(type: "begin" | "over"): void {
    this.give({ type });
  }
  protected override step(state: State, { type }: Heard): Step<State, Timed | Journaled> {
    this.taken.push(type);
    switch (type) {
      case "begin": {
        const arm: Timed = { do: "arm", timer: "budget", afterMs: 5 };
        return { state, effects: [arm, { do: "journal", entry: { at: "started" } }] };
      }
      case "over":
        return { state, effects: [{ do: "disarm", timer: "budget" }] };
      case "timer":
        return { state, effects: [] };
    }
  }
  protected override perform(): void {
    return;
  }
  protected override changed(): void {
    return;
  }
  protected override runnerInput(): Heard {
    return { type: "timer", timer: "budget" };
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

test("a timer that ran out behind another input is of no account once that input has disarmed it", async () => {
  const log = pino({ level: "silent" });
  const id = "11111111-1111-4111-8111-111111111111" as MoveId;
  const journal = await Journal.open<{ at: string }>(folder, id, "source");
  // The disk is slow: what comes meanwhile waits.
  const written = Promise.withResolvers<undefined>();
  journal.append = async () => {
    await written.promise;
  };
  const half = new Budget({ phase: "copying" }, journal, log, null);
  half.hear("begin");
  half.hear("over");
  await sleep(50);
  expect(half.taken).toEqual(["begin"]);
  written.resolve(undefined);
  await expect.poll(() => half.taken).toEqual(["begin", "over"]);

  // One that nothing disarms is taken.
  half.hear("begin");
  await expect.poll(() => half.taken).toEqual(["begin", "over", "begin", "timer"]);
  await journal.close();
});
