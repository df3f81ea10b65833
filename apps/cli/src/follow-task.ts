/** Watches a task to its end over the server's events; a server that is away for a while is waited for. */
import { isEnded, type Task, type TaskId } from "@godwit/contract";
import type { Api } from "./connection.ts";

/** @param changed called with every state in order. @returns the ended task */
export async function followTask(
  api: Api,
  id: TaskId,
  changed: (task: Task) => void,
  signal?: AbortSignal,
): Promise<Task> {
  const over = new AbortController();
  const result = Promise.withResolvers<Task>();
  let revision = 0;
  const take = (task: Task) => {
    if (task.revision <= revision) return;
    revision = task.revision;
    changed(task);
    if (isEnded(task)) result.resolve(task);
  };
  const onOpen = () => {
    // What happened before the stream stood, or while it was broken.
    api.call("taskShow", { params: { task: id } }).then(take, (error: unknown) => {
      if (!isAway(error)) result.reject(error);
    });
  };
  void (async () => {
    for await (const event of api.follow("events", { signal: over.signal, onOpen })) {
      if (event.type !== "task.changed" || event.subject.id !== id) continue;
      take(event.data.task);
    }
  })().catch((error: unknown) => {
    result.reject(error);
  });
  signal?.addEventListener("abort", () => {
    result.reject(signal.reason as Error);
  });
  try {
    return await result.promise;
  } finally {
    over.abort();
  }
}

const isAway = (error: unknown): boolean =>
  ["CONNECTION_FAILED", "DATABASE_UNAVAILABLE"].includes((error as { code?: string }).code ?? "");
