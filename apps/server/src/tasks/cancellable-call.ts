/**
 * What a host does for a task that can be cancelled while it goes on. Which of the two was first, the host decides: what is done by then
 * stays.
 */
import type { TaskContext } from "./task-context.ts";

type Context = TaskContext<"vm.changeDevice"> | TaskContext<"vm.clone">;

const lookAgainMs = 2000;

/** @param cancel asks the host to end it @returns what the call answers @throws what it throws, also when it was cancelled */
export async function cancellableCall<T>(
  context: Context,
  call: () => Promise<T>,
  cancel: () => Promise<unknown>,
): Promise<T> {
  using changes = context.watchTasks(({ id, state }) => id === context.id && state === "cancelling");
  const working = call();
  const ended = working.then(
    () => true,
    () => true,
  );
  while (!(await Promise.race([ended, changes.next(lookAgainMs).then(() => false)]))) {
    if (!(await isCancelling(context))) continue;
    // Again until it has ended: the host may not have started when it was asked first.
    await Promise.race([
      ended,
      cancel().catch((error: unknown) => {
        context.log.info({ err: error }, "the cancellation waits for the host");
      }),
    ]);
  }
  return await working;
}

export const isCancelling = async (context: Context): Promise<boolean> =>
  (await context.persist(() => context.store.tasks.show(context.id))).state === "cancelling";
