/** `godwit host maintenance exit` */
import type { StartedAgain } from "@godwit/contract";
import { buildCommand } from "@stricli/core";
import type { Api } from "../../../connection.ts";
import { withApi } from "../../../connection.ts";
import { Exit, exitCodes } from "../../../output/problem.ts";
import { writeJson, writeLine, writeNote } from "../../../output/screen.ts";
import { hostArgument, jsonFlag, type JsonFlags } from "../../common.ts";

interface Flags extends JsonFlags {
  bringBack: boolean;
  start: boolean;
}

export const exitCommand = buildCommand({
  docs: {
    brief: "Let a host accept VMs again",
    fullDescription: `VMs that the maintenance shut down (enter --cannot-move shut-down) are started again, unless somebody has started or
stopped them since; with --no-start they stay off, and a later exit starts them.

VMs that were moved off it for the maintenance stay where they are, and are named. With --bring-back those that still are
where they went move back, each by a task of its own; one that may not move is named with the reason, and the command ends with 1.

Examples:
  godwit host maintenance exit a
  godwit host maintenance exit a --bring-back
  godwit host maintenance exit a --no-start`,
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
      start: { kind: "boolean", brief: "Start the VMs that the maintenance shut down", default: true },
    },
    positional: hostArgument,
  },
  async func(flags: Flags, host: string) {
    await withApi(async (api) => {
      const params = { host };
      const query = { start: flags.start ? "true" : "false" } as const;
      const view = await api.call("hostMaintenanceExit", { params, query });
      if (!flags.json) writeLine(`Host ${host} is out of maintenance mode and accepts VMs.`);
      const starts = await followStarts(api, view, flags.json);
      if (flags.bringBack) {
        await bringBack(api, host, flags.json, starts);
        return;
      }
      if (flags.json) writeJson({ ...view, ...starts.shown });
      else await tellAway(api, host);
      if (!starts.good) throw new Exit(exitCodes.failed);
    });
  },
});

/** VMs that the maintenance moved away, and that still are where they went. */
async function tellAway(api: Api, host: string): Promise<void> {
  const { vms } = await api.call("hostAway", { params: { host } });
  if (vms.length === 0) return;
  writeLine(
    `Moved away for the maintenance: ${vms.map(({ vm, host: now }) => `${vm} (on ${now})`).join(", ")}. ` +
      `Move them back: godwit host maintenance exit ${host} --bring-back`,
  );
}

interface Starts {
  good: boolean;
  /** As `--json` tells them. */
  shown: Pick<StartedAgain, "notStarted"> & {
    starts: { vm: string; task: string; state: string; reason: string | null }[];
  };
}

/** Waits for VMs that start again; those that could not be started are named. */
async function followStarts(api: Api, { started, notStarted }: StartedAgain, json: boolean): Promise<Starts> {
  const shown: Starts["shown"] = { starts: [], notStarted };
  if (started.length > 0) {
    const { watchTask } = await import("../../../run-task.ts");
    for (const { vm, task } of started) {
      const { state, error } = await watchTask(api, await api.call("taskShow", { params: { task } }));
      const reason = error?.detail ?? null;
      shown.starts.push({ vm, task, state, reason });
      if (json) continue;
      if (state === "succeeded") writeLine(`VM ${vm} runs again.`);
      else writeNote(`VM ${vm} was not started: ${reason ?? `its task was ${state}`}`);
    }
  }
  if (!json) for (const { vm, reason } of notStarted) writeNote(`VM ${vm} was not started: ${reason}`);
  return { good: notStarted.length === 0 && shown.starts.every(({ state }) => state === "succeeded"), shown };
}

/** @throws Exit with 1 when some VM is not back, or not started */
async function bringBack(api: Api, host: string, json: boolean, starts: Starts): Promise<void> {
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
  if (json) writeJson({ host, moves, left, ...starts.shown });
  else {
    for (const { vm, reason } of left) writeNote(`VM ${vm} stays where it is: ${reason}`);
    if (tasks.length + left.length === 0)
      writeLine("No VM that left it for a maintenance is still where it went.");
  }
  if (!starts.good || left.length > 0 || moves.some(({ state }) => state !== "succeeded"))
    throw new Exit(exitCodes.failed);
}
