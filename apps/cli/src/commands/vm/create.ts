/** `godwit vm create` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { runTask } from "../../run-task.ts";
import { detachFlag, hostFlag, jsonFlag, nameArgument, type TaskFlags } from "../common.ts";

export const createCommand = buildCommand({
  docs: {
    brief: "Create a VM from a description (YAML)",
    fullDescription: `Creates the VM's folder and disks on its datastore. The VM is not started.

  name: web-1
  datastore: shared
  memoryMib: 2048
  vcpus: 2
  disks:
    - { name: root, image: images/debian.qcow2 }   # an image on the datastore, copied; take: true moves it
    - { name: data, sizeMib: 10240 }               # new and empty
  nics:
    - { portGroup: office }                        # addresses: [10.0.0.5, fd00::5]: it sends from no others

Example: godwit vm create web-1.yaml`,
  },
  parameters: {
    flags: { json: jsonFlag, detach: detachFlag, host: hostFlag("that creates the VM's folder") },
    positional: nameArgument("file", "Description; - reads standard input"),
  },
  async func(flags: TaskFlags & { host?: string }, file: string) {
    const { readVmFile } = await import("../../vm-file.ts");
    const description = await readVmFile(file);
    await withApi((api) =>
      runTask(
        api,
        api.call("vmCreate", { body: { description, host: flags.host } }),
        flags,
        `VM ${description.name} is created.`,
      ),
    );
  },
});
