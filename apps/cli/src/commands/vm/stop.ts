/** `godwit vm stop` */
import type { Task } from "@godwit/contract";
import { buildCommand } from "@stricli/core";
import { unlessReached } from "../../already.ts";
import { withApi } from "../../connection.ts";
import { parseSeconds } from "../../output/format.ts";
import { runTask } from "../../run-task.ts";
import { detachFlag, jsonFlag, vmArgument, type TaskFlags } from "../common.ts";

/** The host that ran it may still hold its lease. */
const stoppedText =
  (vm: string) =>
  (ended: Task): string => {
    const leaseKept = ended.kind === "vm.stop" ? (ended.result?.leaseKept ?? null) : null;
    if (leaseKept === null || ended.kind !== "vm.stop") return `VM ${vm} is stopped.`;
    const { host } = ended.request;
    return (
      `VM ${vm} is stopped. Host ${host} could not give its lease back yet: ${leaseKept}. ` +
      `It tries again by itself; until then only ${host} can start the VM. ` +
      `godwit vm lease show ${vm} tells when it is free.`
    );
  };

export const stopCommand = buildCommand({
  docs: {
    brief: "Power a VM off",
    fullDescription: `Sends an ACPI power button event. If the guest has not shut down within the grace time, the VM is powered off hard.

Example: godwit vm stop web-1 --grace 30`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      grace: {
        kind: "parsed",
        parse: parseSeconds,
        brief: "How long the guest has to shut down: 30, 30s or 2min",
        default: "60",
      },
    },
    positional: vmArgument,
  },
  async func(flags: TaskFlags & { grace: number }, vm: string) {
    const body = { graceSeconds: flags.grace };
    await withApi((api) =>
      unlessReached(
        api,
        { vm, json: flags.json, code: "VM_NOT_RUNNING" },
        () => runTask(api, api.call("vmStop", { params: { vm }, body }), flags, stoppedText(vm)),
        ({ state }) => (state === "stopped" ? `VM ${vm} is stopped already.` : null),
      ),
    );
  },
});
