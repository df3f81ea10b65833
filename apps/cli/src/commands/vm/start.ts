/** `godwit vm start` */
import { buildCommand } from "@stricli/core";
import { unlessReached } from "../../already.ts";
import { withApi } from "../../connection.ts";
import { runTask } from "../../run-task.ts";
import { detachFlag, forceFlag, hostFlag, jsonFlag, vmArgument, type TaskFlags } from "../common.ts";

export const startCommand = buildCommand({
  docs: {
    brief: "Power a VM on",
    fullDescription: `It starts where it ran last. Where a rule of its pool that must hold forbids that, the planner chooses another host of the pool.
A VM that is suspended to disk goes on where it was (godwit vm suspend), on any host that sees its disks.
In a pool with admission control it starts only where the pool then still bears the loss of any one host.

Examples:
  godwit vm start web-1
  godwit vm start web-1 --host b
  godwit vm start web-1 --discard-memory`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      host: hostFlag("that runs it; default: where it ran last"),
      force: forceFlag,
      discardMemory: {
        kind: "boolean",
        brief:
          "Let a VM boot that is suspended to disk; what it had in memory is lost, as after a loss of power",
        default: false,
      },
    },
    positional: vmArgument,
  },
  async func(flags: TaskFlags & { host?: string; force: boolean; discardMemory: boolean }, vm: string) {
    const { host, force, discardMemory } = flags;
    const body = { host, force, ...(discardMemory ? { discardMemory } : {}) };
    await withApi((api) =>
      unlessReached(
        api,
        { vm, json: flags.json, code: "VM_RUNNING" },
        () => runTask(api, api.call("vmStart", { params: { vm }, body }), flags, `VM ${vm} is running.`),
        ({ host }) =>
          flags.host === undefined || flags.host === host
            ? `VM ${vm} is running already, on host ${String(host)}.`
            : null,
      ),
    );
  },
});
