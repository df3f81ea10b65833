/** `godwit host maintenance exit` */
import { buildCommand } from "@stricli/core";
import type { Api } from "../../../connection.ts";
import { withApi } from "../../../connection.ts";
import { Exit, exitCodes } from "../../../output/problem.ts";
import { writeJson, writeLine, writeNote } from "../../../output/screen.ts";
import { hostArgument, jsonFlag, type JsonFlags } from "../../common.ts";

interface Flags extends JsonFlags {
  bringBack: boolean;
}

export const exitCommand = buildCommand({
  docs: {
    brief: "Let a host accept VMs again",
    fullDescription: `VMs that were moved off it for the maintenance stay where they are, and are named. With --bring-back those that still are
where they went move back, each by a task of its own; one that may not move is named with the reason, and the command ends with 1.

Examples:
  godwit host maintenance exit a
  godwit host maintenance exit a --bring-back`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      bringBack: {
        kind: "boolean",
        brief: "Move back the VMs that the maintenance moved away",
        default: false,
        withNegated: false,
      },
    },
    positional: hostArgument,
  },
  async func(flags: Flags, host: string) {
    await withApi(async (api) => {
      const params = { host };
      const view = await api.call("hostMaintenanceExit", { params });
      if (!flags.json) writeLine(`Host ${host} is out of maintenance mode and accepts VMs.`);
      if (flags.bringBack) {
        await bringBack(api, host, flags.json);
        return;
      }
      if (flags.json) {
        writeJson(view);
        return;
      }
      const { vms } = await api.call("hostAway", { params });
      if (vms.length > 0)
        writeLine(
          `Moved away for the maintenance: ${vms.map(({ vm, host: now }) => `${vm} (on ${now})`).join(", ")}. ` +
            `Move them back: godwit host maintenance exit ${host} --bring-back`,
        );
    });
  },
});

/** @throws Exit with 1 when some VM is not back */
async function bringBack(api: Api, host: string, json: boolean): Promise<void> {
  const { watchTask } = await import("../../../run-task.ts");
  const { tasks, left } = await api.call("hostBringBack", { params: { host } });
  const moves: { vm: string; task: string; state: string; reason: string | null }[] = [];
  for (const task of tasks) {
    const ended = await watchTask(api, task);
    const move = {
      vm: task.subject.name,
      task: task.id,
      state: ended.state,
      reason: ended.error?.detail ?? null,
    };
    moves.push(move);
    if (json) continue;
    if (ended.state === "succeeded") writeLine(`VM ${move.vm} is back on host ${host}.`);
    else writeNote(`VM ${move.vm} did not come back: ${move.reason ?? `its task was ${ended.state}`}`);
  }
  if (json) writeJson({ host, moves, left });
  else {
    for (const { vm, reason } of left) writeNote(`VM ${vm} stays where it is: ${reason}`);
    if (tasks.length + left.length === 0)
      writeLine("No VM that left it for a maintenance is still where it went.");
  }
  if (left.length > 0 || moves.some(({ state }) => state !== "succeeded")) throw new Exit(exitCodes.failed);
}
