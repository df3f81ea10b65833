/** `godwit vm disk add` */
import type { DiskBus } from "@godwit/contract";
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand, numberParser } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { parseMib } from "../../../output/format.ts";
import { runTask } from "../../../run-task.ts";
import { detachFlag, jsonFlag, vmArgument, wordsOf, type TaskFlags } from "../../common.ts";

interface Flags extends TaskFlags {
  size?: number;
  name?: string;
  datastore?: string;
  bus?: DiskBus;
  image?: string;
  format?: "qcow2" | "raw";
  lun?: number;
}

export const addDiskCommand = buildCommand({
  docs: {
    brief: "Add a disk to a VM",
    fullDescription: `The disk is new and empty, a copy of an image, or a LUN. While the VM runs, its guest sees the disk at once. A q35 VM has
room for four disks and NICs that come while it runs after each power-on, and for eight of them in all.

--image names an image of the library, a path on the disk's datastore, or DATASTORE:PATH. The image of a disk that was removed
with --keep-file is the disk again, and is not copied, where the disk has its name: --name data --image web-1/data.qcow2

On a LUN datastore the disk is a raw volume (--format raw), which is zeroed first. A LUN itself is added while the VM is powered off.
What takes long, a copy or zeroing, is ended with godwit task cancel.

Examples:
  godwit vm disk add web-1 --size 20GiB
  godwit vm disk add web-1 --size 100GiB --name data --datastore fast --bus scsi
  godwit vm disk add web-1 --image debian-12
  godwit vm disk add web-1 --lun 3 --datastore target
  godwit vm disk add web-1 --size 20GiB --format raw --datastore san`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      size: {
        kind: "parsed",
        parse: parseMib,
        brief: "Size, like 20GiB; of a copied image, what it grows to",
        optional: true,
      },
      name: { kind: "parsed", parse: String, brief: "Name (default: data-1, data-2, …)", optional: true },
      datastore: {
        kind: "parsed",
        parse: String,
        brief: "Where it lies (default: the VM's)",
        optional: true,
      },
      bus: {
        kind: "enum",
        values: wordsOf<DiskBus>({ virtio: true, sata: true, scsi: true }),
        brief: "What the guest sees it on (default virtio; sata: only while the VM is stopped)",
        optional: true,
      },
      image: { kind: "parsed", parse: String, brief: "Image that it is a copy of", optional: true },
      format: {
        kind: "enum",
        values: wordsOf<"qcow2" | "raw">({ qcow2: true, raw: true }),
        brief: "Format of the disk (default qcow2)",
        optional: true,
      },
      lun: { kind: "parsed", parse: numberParser, brief: "Number of the LUN that it is", optional: true },
    },
    positional: vmArgument,
  },
  async func(flags: Flags, vm: string) {
    const { size, image, lun, name, datastore, bus, format } = flags;
    if (size === undefined && image === undefined && lun === undefined)
      throw GodwitError.of("USAGE", {
        what: "Nothing says how large the disk is, or what is in it.",
        hint: "Give --size 20GiB, --image, or --lun.",
      });
    if (lun !== undefined && (image !== undefined || size !== undefined || format !== undefined))
      throw GodwitError.of("USAGE", {
        what: "A LUN has its size and its content, and is raw.",
        hint: "Leave out --size, --image and --format.",
      });
    await withApi(async (api) => {
      const body = {
        ...(lun === undefined ? {} : { image: `lun-${String(lun)}`, take: true, format: "raw" as const }),
        ...(image === undefined ? {} : await origin(image)),
        ...(size === undefined ? {} : { sizeMib: size }),
        ...(name === undefined ? {} : { name }),
        ...(datastore === undefined ? {} : { datastore }),
        ...(bus === undefined ? {} : { bus }),
        ...(format === undefined ? {} : { format }),
      };
      await runTask(api, api.call("vmDiskAdd", { params: { vm }, body }), flags, (ended) => {
        const change = ended.kind === "vm.changeDevice" ? ended.request.change : null;
        return change?.what === "addDisk" ? `VM ${vm} has disk ${change.disk.name}.` : "";
      });

      /** Files of a datastore have a suffix, or a folder. */
      async function origin(text: string) {
        const [, on, path] = /^([^:/]+):(.*)$/.exec(text) ?? [];
        if (on !== undefined) return { image: path ?? "", imageDatastore: on };
        if (/[./]/.test(text)) return { image: text };
        const found = await api.call("imageShow", { params: { image: text } });
        return { image: found.path, imageDatastore: found.datastore, imageFormat: found.format };
      }
    });
  },
});
