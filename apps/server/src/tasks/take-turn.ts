/** A move waits for its turn among the moves of its two hosts. */
import { waitForTurn, type TaskId } from "@godwit/contract";
import type { QueuedMove, Waiting } from "@godwit/migration";
import type { TaskContext } from "./task-context.ts";

type Context = TaskContext<"vm.migrate">;

/** Far back in a long queue the place is told only roughly: each end of a move would else be written to every one. */
const toldPlaces = 20;
const lookAgainMs = 60_000;

/** Whether a server has asked for the move, this one or an earlier one. */
export const hasHadItsTurn = async (context: Context): Promise<boolean> =>
  (await context.persist(() => context.store.tasks.stepResult(context.id, "order"))) !== null;

/**
 * A move that an earlier server began takes its place before anything is waited for: a server that starts takes up all tasks
 * at once, and none that waits may be faster.
 * @returns its place, which others wait for until it is disposed; null: the move was cancelled before its turn came
 */
export async function takeTurn(context: Context): Promise<Disposable | null> {
  const { id, moveQueue, request, wasUnderWay } = context;
  const move = queuedMove(context);
  if (wasUnderWay) return await placeOfBefore(context, moveQueue.join(move));

  using cancelled = context.watchTasks((task) => task.id === id && task.state === "cancelling");
  const [task, from, to] = await Promise.all([
    context.persist(() => context.store.tasks.show(id)),
    linkOf(context, request.from),
    linkOf(context, request.to),
  ]);
  const teller = new Teller(context);
  const place = moveQueue.enter(move, { from, to }, (why) => {
    teller.tell(why);
  });
  try {
    const turn = place.turn.then(() => true);
    let { state } = task;
    while (state !== "cancelling") {
      if (await Promise.race([turn, cancelled.next(lookAgainMs).then(() => false)])) {
        await teller.end();
        return place;
      }
      ({ state } = await context.persist(() => context.store.tasks.show(id)));
    }
  } catch (error) {
    place[Symbol.dispose]();
    throw error;
  }
  place[Symbol.dispose]();
  return null;
}

/** A move that was cancelled while it waited is not asked of an agent. */
async function placeOfBefore(context: Context, place: Disposable): Promise<Disposable | null> {
  const { state } = await context.persist(() => context.store.tasks.show(context.id));
  if (state !== "cancelling" || (await hasHadItsTurn(context))) return place;
  place[Symbol.dispose]();
  return null;
}

/** Writes into the task what it waits for, one word after the other. */
class Teller {
  readonly #context: Context;
  #last: Promise<void> | null = null;

  constructor(context: Context) {
    this.#context = context;
  }

  tell(why: Waiting): void {
    if (this.#last !== null && why.ahead >= toldPlaces) return;
    const wait = waitForTurn({ ...why, behind: why.behind as TaskId });
    this.#last = (this.#last ?? Promise.resolve())
      .then(() => this.#context.setWaiting(wait))
      // The server stops.
      .catch(() => undefined);
  }

  async end(): Promise<void> {
    if (this.#last === null) return;
    await this.#last;
    await this.#context.setWaiting(null);
  }
}

function queuedMove(context: Context): QueuedMove {
  const { id, request, createdAt } = context;
  const { from, to } = request;
  return { id, from, to, enteredAt: createdAt.getTime(), deadlineAt: deadlineOf(context) };
}

/** Until when the move should have ended, ms since 1970; null: it has no deadline. */
export function deadlineOf({ request, createdAt }: Context): number | null {
  const deadlineMs = request.objective?.deadlineMs ?? null;
  return deadlineMs === null ? null : createdAt.getTime() + deadlineMs;
}

/** Bits per second of a host's migration link, as its agent told it last. */
async function linkOf(context: Context, host: string): Promise<number | null> {
  const row = await context.persist(() => context.store.hosts.find(host));
  return row?.facts?.migration?.link.bitsPerSecond ?? null;
}
