/** `godwit host maintenance enter` */
import { buildCommand, numberParser } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { parseMs } from "../../../output/format.ts";
import { emptiedSummary } from "../../../output/task-view.ts";
import { runTask } from "../../../run-task.ts";
import { detachFlag, hostArgument, jsonFlag, type TaskFlags } from "../../common.ts";

export const enterCommand = buildCommand({
  docs: {
    brief: "Move all VMs off a host, and place no new ones on it",
    fullDescription: `Running VMs move live, a few at a time, and to each destination one at a time. Stopped VMs on shared storage are
assigned to other hosts; stopped VMs on local storage stay. If a running VM cannot move to any host, nothing is
started: all findings are listed, and the command ends with 3.

When no running VM is left, the host is in maintenance mode until you exit it. If a move fails, the host still
accepts no VMs ("entering maintenance"): fix the cause and enter again, or exit. If the task is cancelled, no further
move starts, the running moves finish, and the host accepts VMs again.

Examples:
  godwit host maintenance enter a
  godwit host maintenance enter a --concurrency 4 --max-outage 100ms --json`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      concurrency: { kind: "parsed", parse: numberParser, brief: "How many VMs move at once", default: "2" },
      maxOutage: {
        kind: "parsed",
        parse: parseMs,
        brief: "Longest pause of each move (default 50ms; 250ms for an emulated VM)",
        optional: true,
      },
    },
    positional: hostArgument,
  },
  async func(flags: TaskFlags & { concurrency: number; maxOutage?: number }, host: string) {
    const body = { concurrency: flags.concurrency, maxOutageMs: flags.maxOutage };
    await withApi((api) =>
      runTask(api, api.call("hostMaintenanceEnter", { params: { host }, body }), flags, emptiedSummary),
    );
  },
});
