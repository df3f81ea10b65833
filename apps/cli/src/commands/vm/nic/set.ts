/** `godwit vm nic set` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { runTask } from "../../../run-task.ts";
import { detachFlag, jsonFlag, nicArguments, type TaskFlags } from "../../common.ts";

export const setNicCommand = buildCommand({
  docs: {
    brief: "Connect a NIC to another port group",
    fullDescription: `At rest or while the VM runs; its address is announced in the new network.

Example: godwit vm nic set web-1 0 --network office`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      network: { kind: "parsed", parse: String, brief: "Port group" },
    },
    positional: nicArguments,
  },
  async func(flags: TaskFlags & { network: string }, vm: string, nic: string) {
    await withApi((api) =>
      runTask(
        api,
        api.call("vmNicSet", { params: { vm, nic }, body: { portGroup: flags.network } }),
        flags,
        `NIC ${nic} of VM ${vm} is on network ${flags.network}.`,
      ),
    );
  },
});
