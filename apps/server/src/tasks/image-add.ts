/** An image comes into the library: a host fetches it, and then it is entered in the inventory. */
import { GodwitError, imageFileSchema, originText, type ImageFile } from "@godwit/contract";
import { showCopies } from "./show-copies.ts";
import type { TaskContext } from "./task-context.ts";
import type { TaskImplementation } from "./task-implementation.ts";

type Context = TaskContext<"image.add">;

/** Of large images over slow lines. An agent that is gone is noticed sooner. */
const fetchLimitMs = 24 * 3600 * 1000;
const lookAgainMs = 2000;

export const imageAdd: TaskImplementation<"image.add"> = {
  run: async (context) => {
    const { name, datastore, from, host } = context.request;
    using _copies = showCopies(context, host, context.id);
    try {
      const file = await context.step("fetch", imageFileSchema, () => fetchImage(context));
      await context.change(({ progress }) => ({
        cancellable: false,
        ...(progress === null ? {} : { progress: null }),
      }));
      const image = { name, datastore, origin: originText(from), ...file };
      const entered = await context
        .persist(() => context.store.images.enter(image))
        .catch(async (error: unknown) => {
          // Its name was taken meanwhile: what was fetched is of no use.
          if (GodwitError.is(error, "LIBRARY_IMAGE_EXISTS")) await deleteFile(context, file);
          throw error;
        });
      return { state: "succeeded", result: { ...entered, host } };
    } catch (error) {
      if (!GodwitError.is(error, "IMAGE_ADD_CANCELLED")) throw error;
      return { state: "cancelled", problem: error.problem };
    }
  },

  /** `run` tells the host, and the task ends when nothing is left of it there. */
  cancel: async (context) => await context.change(() => ({ state: "cancelling", cancellable: false })),
};

async function fetchImage(context: Context): Promise<ImageFile> {
  const { host: _, ...order } = context.request;
  const isCancelling = async () =>
    (await context.persist(() => context.store.tasks.show(context.id))).state === "cancelling";
  using changes = context.watchTasks(({ id, state }) => id === context.id && state === "cancelling");
  const fetching = context.ask(context.request.host, async (link) => {
    if (await isCancelling()) throw GodwitError.of("IMAGE_ADD_CANCELLED", { image: order.name });
    return await link.agent.call(
      "imageAdd",
      { body: { ...order, id: context.id } },
      { timeoutMs: fetchLimitMs },
    );
  });
  const ended = fetching.then(
    () => true,
    () => true,
  );
  while (!(await Promise.race([ended, changes.next(lookAgainMs).then(() => false)]))) {
    if (!(await isCancelling())) continue;
    // Again until it has ended: the host may not have started when it was asked first.
    await context.hosts
      .of(context.request.host)
      .agent.call("imageAddCancel", { params: { id: context.id } })
      .catch((error: unknown) => {
        context.log.info({ err: error }, "the cancellation waits for the host");
      });
  }
  return await fetching;
}

async function deleteFile(context: Context, { path }: ImageFile): Promise<void> {
  const { datastore, host } = context.request;
  await context.ask(host, (link) => link.agent.call("imageDelete", { query: { datastore, path } }));
}
