/** `godwit image add` */
import type { ImageFormat } from "@godwit/contract";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { runTask } from "../../run-task.ts";
import { detachFlag, hostFlag, jsonFlag, wordsOf, type TaskFlags } from "../common.ts";

interface Flags extends TaskFlags {
  name?: string;
  datastore?: string;
  checksum?: string;
  format?: ImageFormat;
  host?: string;
}

export const addCommand = buildCommand({
  docs: {
    brief: "Download an image into the library, or copy it from a datastore",
    fullDescription: `A host that sees the datastore downloads it over https, and keeps it in the folder images of the datastore. Its certificate is verified;
over http it needs --checksum. Addresses of private networks are asked only where agent.yaml of that host allows them
(images: { allow: [10.1.2.0/24] }). What comes is looked at before it has its name: images that refer to other files are refused,
and so is what is compressed (.xz, .gz).

Examples:
  godwit image add https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-genericcloud-amd64.qcow2 --name debian-12
  godwit image add https://example.org/appliance.qcow2 --datastore vms --checksum sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  godwit image add vms:uploads/windows.vmdk --name windows`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      name: {
        kind: "parsed",
        parse: String,
        brief: "Its name (default: from that of the file)",
        optional: true,
      },
      datastore: {
        kind: "parsed",
        parse: String,
        brief: "Datastore that it is to lie on (default: the only one)",
        optional: true,
      },
      checksum: {
        kind: "parsed",
        parse: String,
        brief: "What it must have: sha256: and hexadecimal digits",
        optional: true,
      },
      format: {
        kind: "enum",
        values: wordsOf<ImageFormat>({
          qcow2: true,
          raw: true,
          vmdk: true,
          vdi: true,
          vhdx: true,
          vpc: true,
        }),
        brief: "What it must be (default: its content tells)",
        optional: true,
      },
      host: hostFlag("that fetches it"),
    },
    positional: {
      kind: "tuple",
      parameters: [{ parse: String, brief: "https://…, or DATASTORE:PATH", placeholder: "origin" }],
    },
  },
  async func(flags: Flags, origin: string) {
    const { newImage } = await import("../../image-flags.ts");
    const described = newImage(origin, flags);
    await withApi(async (api) => {
      const body = await described(async () => {
        const { datastores } = await api.call("datastoreList", {});
        return datastores.map(({ name }) => name);
      });
      const done = `Image ${body.name} is in the library. Make a VM from it: godwit vm create NAME --image ${body.name}`;
      await runTask(api, api.call("imageAdd", { body }), flags, done);
    });
  },
});
