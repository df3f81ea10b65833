/**
 * Limits of a move that are changed while it waits or goes on. Its source is asked first: what it refuses, or did not answer, is not
 * changed here either. The task keeps them, for a source that is asked later and for a server that starts.
 */
import { GodwitError, type MoveId, type MoveLimits, type Task, type TaskOf } from "@godwit/contract";
import { hasHadItsTurn } from "./take-turn.ts";
import type { TaskContext } from "./task-context.ts";

type Context = TaskContext<"vm.migrate">;
type Limits = NonNullable<TaskOf<"vm.migrate">["limits"]>;

/** A move that may be given other limits. @throws TASK_NOT_CHANGEABLE */
export function changeable(task: Task): TaskOf<"vm.migrate"> {
  const refused = (reason: string) =>
    GodwitError.of("TASK_NOT_CHANGEABLE", { task: task.id, state: task.state, reason });
  if (task.kind !== "vm.migrate") throw refused("only a move of a running VM has limits");
  if (task.endedAt !== null) throw refused("it has ended");
  if (task.state === "cancelling") throw refused("it is being cancelled");
  return task;
}

/** As somebody has set them, or as they were asked for. */
export async function limitsOf(context: Context): Promise<Limits> {
  const task = await context.persist(() => context.store.tasks.show(context.id));
  const { bandwidthBytesPerSecond, maxOutageMs } = context.request;
  return (task.kind === "vm.migrate" ? task.limits : null) ?? { bandwidthBytesPerSecond, maxOutageMs };
}

/** @throws TASK_NOT_CHANGEABLE, HOST_UNREACHABLE: nothing is changed then */
export async function setMoveLimits(context: Context, limits: MoveLimits): Promise<TaskOf<"vm.migrate">> {
  const { id, moveBandwidth } = context;
  const before = await limitsOf(context);
  const after: Limits = {
    bandwidthBytesPerSecond:
      limits.bandwidthBytesPerSecond === undefined
        ? before.bandwidthBytesPerSecond
        : limits.bandwidthBytesPerSecond,
    maxOutageMs: limits.maxOutageMs ?? before.maxOutageMs,
  };
  if (await hasHadItsTurn(context)) {
    const share = moveBandwidth.setOwn(id, after.bandwidthBytesPerSecond);
    try {
      await tellSource(context, {
        ...(limits.bandwidthBytesPerSecond === undefined ? {} : { bandwidthBytesPerSecond: share }),
        ...(limits.maxOutageMs === undefined ? {} : { maxOutageMs: limits.maxOutageMs }),
      });
    } catch (error) {
      moveBandwidth.setOwn(id, before.bandwidthBytesPerSecond);
      throw refusalOf(error, context);
    }
    if (limits.bandwidthBytesPerSecond !== undefined) moveBandwidth.told(id, share);
  }
  return await context.change(() => ({ limits: after }));
}

/** What was set while its source was being asked for the move is given to it now. It may be too late for that. */
export async function settleLimits(context: Context, order: MoveLimits): Promise<void> {
  const { id, moveBandwidth } = context;
  const { bandwidthBytesPerSecond, maxOutageMs } = await limitsOf(context);
  moveBandwidth.setOwn(id, bandwidthBytesPerSecond);
  if (maxOutageMs !== order.maxOutageMs)
    await tellSource(context, { maxOutageMs }).catch((error: unknown) => {
      context.log.info({ err: error }, "the move's limits came too late");
    });
  moveBandwidth.told(id, context.mayHaveAsked ? "unsure" : (order.bandwidthBytesPerSecond ?? null));
}

async function tellSource(
  context: Context,
  limits: MoveLimits,
  because: "asked" | "shared" = "asked",
): Promise<void> {
  const { agent } = context.hosts.of(context.request.from);
  const params = { moveId: moveIdOf(context) };
  await agent.call("moveSet", { params, body: { limits, because } });
}

/** Gives the source the move's share of what its hosts' moves may use. */
export const tellShare =
  (context: Context) =>
  async (bandwidthBytesPerSecond: number | null): Promise<void> => {
    await tellSource(context, { bandwidthBytesPerSecond }, "shared");
  };

/** A move has the id of its task. */
export const moveIdOf = ({ id }: Context): MoveId => id as string as MoveId;

function refusalOf(error: unknown, { id, request, hosts }: Context): unknown {
  const refused = (reason: string) =>
    GodwitError.of("TASK_NOT_CHANGEABLE", { task: id, state: "running", reason }, { cause: error });
  if (GodwitError.is(error, "MOVE_UNKNOWN")) return refused(`host ${request.from} is only about to begin it`);
  if (GodwitError.is(error, "ROUTE_UNKNOWN") || GodwitError.is(error, "ANSWER_NOT_UNDERSTOOD"))
    return refused(`the agent of host ${request.from} is of a version that changes no limits`);
  return GodwitError.is(error, "CONNECTION_FAILED") ? hosts.of(request.from).unreachable(error) : error;
}
