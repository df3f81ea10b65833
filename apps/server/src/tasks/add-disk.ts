/**
 * A disk is added by the VM's host, and that can be cancelled while its image is copied. Which of the two was first, the host decides: a
 * disk that the VM has by then stays.
 */
import { GodwitError, type DeviceChange, type DeviceOrder, type Vm } from "@godwit/contract";
import { cancellableCall, isCancelling } from "./cancellable-call.ts";
import type { TaskContext } from "./task-context.ts";

type Context = TaskContext<"vm.changeDevice">;
type AddDisk = Extract<DeviceChange, { what: "addDisk" }>;
type Agent = ReturnType<Context["hosts"]["of"]>["agent"];

/** A task that was cancelled begins nothing any more. @throws DISK_ADD_CANCELLED, and what the host refuses with */
export async function addDisk(
  context: Context,
  agent: Agent,
  body: DeviceOrder & { change: AddDisk },
  timeoutMs: number,
): Promise<Vm> {
  const { vm } = context.request;
  const call = { params: { vmId: vm.id }, body };
  const cancel = async (): Promise<Vm> => await agent.call("vmDeviceCancel", call, { timeoutMs });
  if (await isCancelling(context)) return mustHave(body, await cancel());

  return await cancellableCall(context, () => agent.call("vmDeviceChange", call, { timeoutMs }), cancel);
}

function mustHave({ name: vm, change }: { name: string; change: AddDisk }, now: Vm): Vm {
  const { name: disk } = change.disk;
  if (now.disks.some(({ name }) => name === disk)) return now;
  throw GodwitError.of("DISK_ADD_CANCELLED", { vm, disk });
}
