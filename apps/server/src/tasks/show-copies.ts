/** Writes into a task how far the copy of an image or a disk is that a host makes. */
import type { TaskId, VmId } from "@godwit/contract";
import type { TaskContext } from "./task-context.ts";

type Copying =
  | "vm.create"
  | "vm.changeDevice"
  | "vm.clone"
  | "vm.export"
  | "vm.relocateDisks"
  | "vm.suspend"
  | "image.add";

/** @param of the VM whose images these are, or the task that an image comes by. Until it is disposed */
export function showCopies<K extends Copying>(
  context: TaskContext<K>,
  host: string,
  of: VmId | TaskId,
): Disposable {
  return context.hosts.of(host).onImageCopy(of, (progress) => {
    // A figure that is not written is followed by the next.
    (context as unknown as TaskContext<Copying>)
      .change((task) => (task.steps.some(({ state }) => state === "running") ? { progress } : {}))
      .catch((error: unknown) => {
        context.log.debug({ err: error }, "how far a copy is could not be written down");
      });
  });
}
