/** `godwit vm clone` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { runTask } from "../../run-task.ts";
import { detachFlag, jsonFlag, type TaskFlags } from "../common.ts";

interface Flags extends TaskFlags {
  datastore?: string;
  linked?: boolean;
}

export const cloneCommand = buildCommand({
  docs: {
    brief: "Copy a stopped VM to a new one",
    fullDescription: `The new VM has disks of its own, copied in full, a new id and new MAC addresses, and is otherwise described as the VM
is: memory, vCPUs, CPU, machine type, port groups, ISO images, CPU affinity. It has no cloud-init data of the VM's, and no limits of
the IP addresses that its NICs may send from. What is in its guest, such as host name, SSH host keys and fixed IP addresses, is
the VM's: change it before both are in one network. The new VM is not started.

godwit task cancel ends it while disks are copied: nothing is left of the copy then.

Without --datastore each part lies where the VM has its own; with it the folder and all disks lie there. On a LUN datastore all
disks are raw volumes, and the folder lies where the VM has its own.

With --linked nothing is copied but what the VM has written since it was linked itself: both VMs read what they have in common from one
base image on their datastore, and each keeps what it writes. The VM's disks get such bases by that, so they must be files, and have no
snapshots then.

Examples:
  godwit vm clone web-1 web-2
  godwit vm clone web-1 web-test --datastore fast --json
  godwit vm clone web-1 web-3 --datastore san
  godwit vm clone template web-4 --linked`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      datastore: {
        kind: "parsed",
        parse: String,
        brief: "Where the new VM's folder and all of its disks are to lie; a LUN: its disks",
        optional: true,
      },
      linked: {
        kind: "boolean",
        brief: "Share what both have in common, and copy nothing of it",
        optional: true,
        withNegated: false,
      },
    },
    positional: {
      kind: "tuple",
      parameters: [
        { parse: String, brief: "Name or id of the VM", placeholder: "VM" },
        { parse: String, brief: "Name of the new VM", placeholder: "NEW" },
      ],
    },
  },
  async func({ datastore, linked, ...flags }: Flags, vm: string, name: string) {
    await withApi((api) =>
      runTask(
        api,
        api.call("vmClone", {
          params: { vm },
          body: { name, datastore, ...(linked === true ? { linked } : {}) },
        }),
        flags,
        `VM ${name} is a ${linked === true ? "linked copy" : "copy"} of ${vm}; it is not started. Start it: godwit vm start ${name}`,
      ),
    );
  },
});
