/** `godwit vm import` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import type { ImportFlags } from "../../import-flags.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { taskEnd } from "../../run-task.ts";
import { hostFlag, jsonFlag, nameArgument, wordsOf, type JsonFlags } from "../common.ts";

interface Flags extends JsonFlags, ImportFlags {
  dryRun: boolean;
}

export const importCommand = buildCommand({
  docs: {
    brief: "Create a VM from VMware's, libvirt's or Proxmox's description of it",
    fullDescription: `SOURCE is a file on a datastore: DATASTORE:PATH, or PATH where there is only one datastore (or --datastore).
By its name it is VMware's .vmx with its .vmdk files, an .ova, an .ovf with its files, libvirt's .xml (virsh dumpxml), or
Proxmox's .conf. Images are looked for beside it, in the archive, or where --disk says; they are copied, converted to qcow2 (or
--format raw), and compared with the package's checksums. The source stays as it is. The VM is not started.

First it is told what is carried over, what is changed and what is not carried over; --dry-run ends there.

Examples:
  godwit vm import vms:"Web Server/Web Server.vmx" --network "VM Network=office" --dry-run
  godwit vm import vms:"Web Server/Web Server.vmx" --network "VM Network=office" --name web-1
  godwit vm import library:appliance.ova --datastore fast --network office --json
  godwit vm import vms:old/db.xml --network office --disk vda=old/db.qcow2 --new-macs
  godwit vm import vms:old/100.conf --network vmbr0.10=office`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      dryRun: {
        kind: "boolean",
        brief: "Only tell what would become of it",
        default: false,
        withNegated: false,
      },
      name: { kind: "parsed", parse: String, brief: "The new VM's name (default: its own)", optional: true },
      datastore: {
        kind: "parsed",
        parse: String,
        brief: "Where the new VM's folder and disks are to lie (default: the source's datastore)",
        optional: true,
      },
      host: hostFlag("that reads the source and creates the VM's folder"),
      network: {
        kind: "parsed",
        parse: String,
        variadic: true,
        brief: "Port group for all networks, or NETWORK=PORTGROUP for one",
        optional: true,
      },
      newMacs: {
        kind: "boolean",
        brief: "Give the NICs new MAC addresses",
        default: false,
        withNegated: false,
      },
      format: {
        kind: "enum",
        values: wordsOf<"qcow2" | "raw">({ qcow2: true, raw: true }),
        brief: "Format of the new disks (default qcow2)",
        optional: true,
      },
      disk: {
        kind: "parsed",
        parse: String,
        variadic: true,
        brief: "LABEL=PATH: where the image of a disk lies on the source's datastore",
        optional: true,
      },
    },
    positional: nameArgument("source", "DATASTORE:PATH of the description"),
  },
  async func({ json, dryRun, ...flags }: Flags, source: string) {
    const [{ importRequest }, { onlyDatastore }] = await Promise.all([
      import("../../import-flags.ts"),
      import("../../vm-flags.ts"),
    ]);
    await withApi(async (api) => {
      const { datastores } = await api.call("datastoreList", {});
      const body = importRequest(source, flags, () => onlyDatastore(datastores.map(({ name }) => name)));
      const { description, report, host } = await api.call("vmImportRead", { body });
      if (!json) {
        const { importText } = await import("../../output/import-view.ts");
        writeLine(importText(report));
      }
      if (dryRun) {
        if (json) writeJson({ report, description, host });
        return;
      }
      const task = await taskEnd(api, api.call("vmCreate", { body: { description, host } }), { json });
      if (json) writeJson({ report, description, host, task });
      else
        writeLine(
          `VM ${description.name} is created; it is not started. Start it: godwit vm start ${description.name}`,
        );
    });
  },
});
