/** `godwit vm suspend` */
import type { Task } from "@godwit/contract";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { formatBytes } from "../../output/format.ts";
import { runTask } from "../../run-task.ts";
import { detachFlag, jsonFlag, vmArgument, type TaskFlags } from "../common.ts";

const suspendedText =
  (vm: string) =>
  (ended: Task): string => {
    if (ended.kind !== "vm.suspend" || ended.result === null) return `VM ${vm} is suspended.`;
    const { bytes, host, leaseKept } = ended.result;
    const suspended = `VM ${vm} is suspended (${formatBytes(bytes)} of memory). It goes on with: godwit vm start ${vm}`;
    return leaseKept === null
      ? suspended
      : `${suspended} Host ${host} could not give its lease back yet: ${leaseKept}. Until then only ${host} can start the VM.`;
  };

export const suspendCommand = buildCommand({
  docs: {
    brief: "Suspend a VM to disk",
    fullDescription: `Stops its guest, writes its memory to its folder, and ends its QEMU: it uses no memory and no CPU of a host any more. At its next
start its guest goes on where it was, on this host or on another one with the same accelerator and a QEMU that is not older. Its
connections last as long as the other ends wait.

Until its memory is written, godwit task cancel ID lets its guest run on.

While it is suspended its disks and its description stay as they are. The folder needs room for its memory.

Example: godwit vm suspend web-1`,
  },
  parameters: { flags: { json: jsonFlag, detach: detachFlag }, positional: vmArgument },
  async func(flags: TaskFlags, vm: string) {
    await withApi((api) => runTask(api, api.call("vmSuspend", { params: { vm } }), flags, suspendedText(vm)));
  },
});
