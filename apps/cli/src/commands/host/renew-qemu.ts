/** `godwit host renew-qemu` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { parseMs } from "../../output/format.ts";
import { renewedSummary } from "../../output/task-view.ts";
import { runTask } from "../../run-task.ts";
import { detachFlag, hostArgument, jsonFlag, type TaskFlags } from "../common.ts";

export const renewQemuCommand = buildCommand({
  docs: {
    brief: "Bring running VMs onto the host's QEMU after its upgrade",
    fullDescription: `A VM runs on with the QEMU that it was started with when the host's QEMU is upgraded (alarm VM_QEMU_OUTDATED). Each
such VM moves to another host and back, one after the other, and runs on the new QEMU then.

A VM that no other host may have, or that could not move back, is named with the reason at the end, and the others
are brought onto the new QEMU all the same. If the task is cancelled, a VM that is away comes back first.

Examples:
  godwit host renew-qemu a
  godwit host renew-qemu a --max-outage 100ms --detach`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      maxOutage: {
        kind: "parsed",
        parse: parseMs,
        brief: "Longest pause of each move (default 50ms; 250ms for an emulated VM)",
        optional: true,
      },
    },
    positional: hostArgument,
  },
  async func(flags: TaskFlags & { maxOutage?: number }, host: string) {
    const body = { maxOutageMs: flags.maxOutage };
    await withApi((api) =>
      runTask(api, api.call("hostRenewQemu", { params: { host }, body }), flags, renewedSummary),
    );
  },
});
