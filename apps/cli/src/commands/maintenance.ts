/** `godwit host maintenance …` */
import { buildCommand, buildRouteMap, numberParser } from "@stricli/core";
import { withApi } from "../connection.ts";
import { parseMs } from "../output/format.ts";
import { writeJson, writeLine } from "../output/screen.ts";
import { emptiedSummary } from "../output/task-view.ts";
import { runTask } from "../run-task.ts";
import { detachFlag, jsonFlag, nameArgument } from "./common.ts";

const enter = buildCommand({
  docs: {
    brief: "Move all VMs of a host to others, and let it take no more",
    fullDescription: `Running VMs move live, a few at a time and to each destination one at a time; stopped ones on shared storage
get another home, others stay. When a running VM may not move anywhere, nothing is begun: all findings are
told, and it ends with 3.

When all are gone the host is in maintenance until you end that. When a move fails the host still takes no
VMs ("entering maintenance"): mend the cause and enter again, or exit. Cancelling the task begins no more
moves, lets those under way end, and the host takes VMs again.

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
    positional: nameArgument("host", "Name"),
  },
  async func(
    flags: { json: boolean; detach: boolean; concurrency: number; maxOutage?: number },
    host: string,
  ) {
    const body = {
      concurrency: flags.concurrency,
      ...(flags.maxOutage === undefined ? {} : { maxOutageMs: flags.maxOutage }),
    };
    await withApi((api) =>
      runTask(api, api.call("hostMaintenanceEnter", { params: { host }, body }), flags, emptiedSummary),
    );
  },
});

const exit = buildCommand({
  docs: {
    brief: "Let a host take VMs again",
    fullDescription: `VMs that were moved away stay where they are.

Example: godwit host maintenance exit a`,
  },
  parameters: { flags: { json: jsonFlag }, positional: nameArgument("host", "Name") },
  async func(flags: { json: boolean }, host: string) {
    const view = await withApi((api) => api.call("hostMaintenanceExit", { params: { host } }));
    if (flags.json) writeJson(view);
    else writeLine(`Host ${host} takes VMs.`);
  },
});

export const maintenanceRoutes = buildRouteMap({
  routes: { enter, exit },
  docs: { brief: "Empty a host for work on it: enter, exit" },
});
