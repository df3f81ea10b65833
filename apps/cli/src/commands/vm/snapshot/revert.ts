/** `godwit vm snapshot revert` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { runTask } from "../../../run-task.ts";
import { detachFlag, jsonFlag, snapshotArguments, type TaskFlags } from "../../common.ts";

interface Flags extends TaskFlags {
  disksOnly: boolean;
}

export const revertCommand = buildCommand({
  docs: {
    brief: "Make a VM what it was at a snapshot; what it is now is lost",
    fullDescription: `A running VM is powered off. Its disks become what they were, and so does its description: memory, vCPUs, NICs with their MAC
addresses, drives. With a snapshot that has memory the guest goes on from that point; otherwise the VM is stopped afterwards. What it
is now is lost, so take a snapshot of it first if it may be needed. The snapshots stay, and it can be reverted to them again.

Examples:
  godwit vm snapshot revert web-1 before-upgrade
  godwit vm snapshot revert web-1 debugging --disks-only`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      disksOnly: {
        kind: "boolean",
        brief: "Leave its memory out: the VM is stopped afterwards",
        default: false,
      },
    },
    positional: snapshotArguments,
  },
  async func({ disksOnly, ...flags }: Flags, vm: string, snapshot: string) {
    await withApi((api) =>
      runTask(
        api,
        api.call("vmSnapshotRevert", { params: { vm, snapshot }, body: { disksOnly } }),
        flags,
        (task) =>
          `VM ${vm} is as it was at snapshot ${snapshot}${
            task.kind === "vm.revertToSnapshot" && task.result?.state === "stopped"
              ? `; it is stopped. Start it: godwit vm start ${vm}`
              : ", and its guest goes on from there."
          }`,
      ),
    );
  },
});
