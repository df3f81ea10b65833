/** `godwit vm snapshot create` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { runTask } from "../../../run-task.ts";
import { detachFlag, jsonFlag, snapshotArguments, type TaskFlags } from "../../common.ts";

interface Flags extends TaskFlags {
  memory: boolean;
  note?: string;
}

export const createSnapshotCommand = buildCommand({
  docs: {
    brief: "Create a snapshot of a VM, while it runs or stopped",
    fullDescription: `Of all disks at one point in time, as after a loss of power. With --memory the guest can go on from that point; it stands
still while its memory is written to the first disk's datastore. All disks must be qcow2 images. A VM with snapshots moves as any other.

Examples:
  godwit vm snapshot create web-1 before-upgrade
  godwit vm snapshot create web-1 debugging --memory --note "the queue is stuck"`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      memory: { kind: "boolean", brief: "Of a running VM's memory, too", default: false },
      note: { kind: "parsed", parse: String, brief: "A line about it", optional: true },
    },
    positional: snapshotArguments,
  },
  async func({ memory, note, ...flags }: Flags, vm: string, name: string) {
    await withApi((api) =>
      runTask(
        api,
        api.call("vmSnapshotCreate", { params: { vm }, body: { name, memory, note } }),
        flags,
        `VM ${vm} has a snapshot ${name}${memory ? " with its memory" : ""}. Back to it: godwit vm snapshot revert ${vm} ${name}`,
      ),
    );
  },
});
