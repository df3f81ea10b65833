/** `godwit vm create` */
import type { DiskBus, NicModel, Task, VmDescription } from "@godwit/contract";
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand } from "@stricli/core";
import { withApi, type Api } from "../../connection.ts";
import { parseMemory, parseMemoryTarget, parseMib, parseTopology, parseVcpus } from "../../output/format.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { runTask, taskEnd } from "../../run-task.ts";
import type { CloudInitFlags } from "../../cloud-init-files.ts";
import type { VmFlags } from "../../vm-flags.ts";
import { detachFlag, hostFlag, jsonFlag, nameArgument, wordsOf, type TaskFlags } from "../common.ts";

interface Flags extends TaskFlags, Omit<VmFlags, "libraryImage">, CloudInitFlags {
  host?: string;
  start: boolean;
  wait: boolean;
}

export const createCommand = buildCommand({
  docs: {
    brief: "Create a VM from flags, or from a description (YAML)",
    fullDescription: `Creates the VM's folder and disks on its datastore. With --start it is powered on then.

Flags describe the common case. The disk root is a copy of --image, or new and empty; the first --disk is its size, and
further ones make new disks data-1, data-2, … Sizes are like 512MiB or 20GiB.

Cloud images are set up by cloud-init at their first boot: --ssh-key, --user-data, --hostname and --network-config go into
an ISO image in the VM's folder, which the guest finds in a CD-ROM drive. The server keeps none of it, and no task tells it.

The image is one of the library by its name (godwit image list), or a file: with a folder or a suffix its path on the VM's datastore,
or DATASTORE:PATH. With --linked the disk reads from the library's image, which must lie on the same datastore, what the VM has not
written: it is made at once, and takes room only for what is written.

Examples:
  godwit vm create web-1 --image debian-12 --disk 20GiB --network office --ssh-key ~/.ssh/id_ed25519.pub --start --wait
  godwit vm create web-4 --image debian-12 --linked --disk 20GiB --network office --start
  godwit vm create web-1 --image images/debian-12.qcow2 --disk 20GiB --memory 4GiB --vcpus 2 --network office --start
  godwit vm create web-1 --image debian-12 --memory 4GiB --max-memory 16GiB --network office --start
  godwit vm create web-1 --image images/debian-12.qcow2 --network office --ssh-key ~/.ssh/id_ed25519.pub --start --wait
  godwit vm create web-1 --image images/debian-12.qcow2 --user-data web.yaml --hostname web-1.example.org --start
  godwit vm create web-1 --image library:debian-12.qcow2 --datastore fast --network office
  godwit vm create win-1 --image images/windows.qcow2 --disk-bus sata --nic-model e1000e --network office
  godwit vm create web-2 --datastore shared --disk 40GiB --iso isos/debian-12.iso --network office
  godwit vm create web-3 --disk 40GiB --network office --boot-order nic:0,disk:root

A file describes all that a VM can have:

  name: web-1
  datastore: shared
  memoryMib: 2048
  vcpus: 2
  disks:
    - { name: root, image: images/debian.qcow2 }   # an image on the datastore, copied; take: true moves it
    - { name: data, sizeMib: 10240 }               # new and empty
  nics:
    - { portGroup: office }                        # addresses: [10.0.0.5, fd00::5]: it sends from no others

A disk may have bus: sata or scsi, a NIC model: e1000e or e1000, for a guest without drivers for virtio.
maxMemoryMib: 8192 is what memory can be added up to while it runs.
balloon: { targetMib: 1024 } is what its guest is to have of its memory; balloon: {} lets that be set while it runs.
topology: { sockets: 2, cores: 1, threads: 1 } is what the guest sees its vCPUs as; they are as many as vcpus says.
bootOrder: ["cdrom:cd0", "disk:root", "nic:0"] is what it boots from; NICs are numbered from 0.
tags: [production, team=web] and notes: "text" are for people and programs.

Example: godwit vm create web-1.yaml --start`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      host: hostFlag("that creates the VM's folder"),
      datastore: {
        kind: "parsed",
        parse: String,
        brief: "Datastore of the VM (default: the only one)",
        optional: true,
      },
      memory: { kind: "parsed", parse: parseMemory, brief: "Memory (default 2GiB)", optional: true },
      maxMemory: {
        kind: "parsed",
        parse: parseMemory,
        placeholder: "SIZE",
        brief: "What memory can be added up to while it runs (default: none is added while it runs)",
        optional: true,
      },
      memoryTarget: {
        kind: "parsed",
        parse: parseMemoryTarget,
        placeholder: "SIZE|all",
        brief: "What its guest is to have of it: with a target it can be changed while the VM runs",
        optional: true,
      },
      vcpus: { kind: "parsed", parse: parseVcpus, brief: "vCPUs (default 1)", optional: true },
      topology: {
        kind: "parsed",
        parse: parseTopology,
        placeholder: "sockets=N,cores=N,threads=N",
        brief: "What the guest sees its vCPUs as (default: cores of one socket)",
        optional: true,
      },
      image: {
        kind: "parsed",
        parse: String,
        brief:
          "Image that the disk root is a copy of: of the library, on the VM's datastore, or DATASTORE:PATH",
        optional: true,
      },
      format: {
        kind: "enum",
        values: wordsOf<"qcow2" | "raw">({ qcow2: true, raw: true }),
        brief: "Format of the image (default qcow2)",
        optional: true,
      },
      linked: {
        kind: "boolean",
        brief: "Link the disk root to the image of the library, and copy nothing of it",
        optional: true,
        withNegated: false,
      },
      disk: {
        kind: "parsed",
        parse: parseMib,
        variadic: true,
        brief: "Size of the disk root; given again, of a further disk",
        optional: true,
      },
      iso: { kind: "parsed", parse: String, brief: "ISO image for a CD-ROM drive cd0", optional: true },
      network: {
        kind: "parsed",
        parse: String,
        variadic: true,
        brief: "Port group of a NIC; given again, of a further NIC",
        optional: true,
      },
      bootOrder: {
        kind: "parsed",
        parse: (text: string) => text.split(","),
        placeholder: "disk:NAME,cdrom:NAME,nic:N",
        brief: "What it boots from (default: the first disk, and then CD-ROM drives)",
        optional: true,
      },
      guestAgent: {
        kind: "boolean",
        brief: "The guest has QEMU's guest agent",
        optional: true,
        withNegated: false,
      },
      firmware: {
        kind: "enum",
        values: wordsOf<"bios" | "uefi">({ bios: true, uefi: true }),
        brief: "What it boots by (default bios)",
        optional: true,
      },
      secureBoot: {
        kind: "boolean",
        brief: "With --firmware uefi: boot only what is signed",
        optional: true,
        withNegated: false,
      },
      tpm: {
        kind: "boolean",
        brief: "It has a TPM 2.0 of its own",
        optional: true,
        withNegated: false,
      },
      diskBus: {
        kind: "enum",
        values: wordsOf<DiskBus>({ virtio: true, sata: true, scsi: true }),
        brief: "What the guest sees its disks on (default virtio; sata: AHCI; scsi: virtio-scsi)",
        optional: true,
      },
      nicModel: {
        kind: "enum",
        values: wordsOf<NicModel>({ virtio: true, e1000e: true, e1000: true }),
        brief: "What the guest sees its NICs as (default virtio)",
        optional: true,
      },
      tag: {
        kind: "parsed",
        parse: String,
        variadic: true,
        brief: "Tag to find it by; given again, a further one",
        optional: true,
      },
      notes: { kind: "parsed", parse: String, brief: "Notes for people", optional: true },
      sshKey: {
        kind: "parsed",
        parse: String,
        variadic: true,
        brief: "File with public SSH keys that may log in to the guest",
        optional: true,
      },
      userData: {
        kind: "parsed",
        parse: String,
        brief: "File with user data for cloud-init: cloud-config, or a script",
        optional: true,
      },
      hostname: {
        kind: "parsed",
        parse: String,
        brief: "The guest's host name (default: the VM's name)",
        optional: true,
      },
      networkConfig: {
        kind: "parsed",
        parse: String,
        brief: "File with a network configuration for cloud-init (default: DHCP)",
        optional: true,
      },
      start: { kind: "boolean", brief: "Power it on when it is created", default: false, withNegated: false },
      wait: {
        kind: "boolean",
        brief: "With --start: wait until the guest has an IP address, and tell it",
        default: false,
        withNegated: false,
      },
    },
    positional: nameArgument("name-or-file", "The VM's name, or a description; - reads standard input"),
  },
  async func(flags: Flags, nameOrFile: string) {
    if (flags.start && flags.detach)
      throw GodwitError.of("USAGE", {
        what: "--start needs the VM to be there, and --detach does not wait for that.",
        hint: "Leave out one of them.",
      });
    if (flags.wait && !flags.start)
      throw GodwitError.of("USAGE", {
        what: "--wait needs --start: a VM that does not run has no address.",
        hint: "Add --start.",
      });
    const described = await descriptionOf(flags, nameOrFile);
    const { readCloudInit } = await import("../../cloud-init-files.ts");
    const cloudInit = await readCloudInit(flags);
    await withApi(async (api) => {
      const description = await described(api);
      const { name } = description;
      const create = api.call("vmCreate", { body: { description, host: flags.host, cloudInit } });
      if (flags.start) await createAndStart(api, create, name, flags);
      else await runTask(api, create, flags, `VM ${name} is created.`);
    });
  },
});

/** What is wrong without a server is told before one is asked. */
async function descriptionOf(
  flags: Flags,
  nameOrFile: string,
): Promise<(api: Api) => Promise<VmDescription>> {
  const { anyLibraryImage, describesVm, describeVm, isLibraryName, onlyDatastore } =
    await import("../../vm-flags.ts");
  if (!describesVm(flags)) {
    const { readVmFile } = await import("../../vm-file.ts");
    const description = await readVmFile(nameOrFile);
    return () => Promise.resolve(description);
  }
  const { image } = flags;
  const isLibrary = image !== undefined && isLibraryName(image);
  const unknown = isLibrary ? { libraryImage: anyLibraryImage } : {};
  const described = describeVm(nameOrFile, { ...flags, ...unknown, datastore: flags.datastore ?? "any" });
  return async (api) => {
    const { datastore = onlyDatastore(await datastoreNames(api)) } = flags;
    if (!isLibrary) return { ...described, datastore };
    const libraryImage = await api.call("imageShow", { params: { image } });
    return describeVm(nameOrFile, { ...flags, libraryImage, datastore });
  };
}

const datastoreNames = async (api: Api): Promise<string[]> =>
  (await api.call("datastoreList", {})).datastores.map(({ name }) => name);

/** With `--json` one document: both tasks, and the addresses that were waited for. */
async function createAndStart(
  api: Api,
  create: Promise<Task>,
  vm: string,
  { json, wait }: Flags,
): Promise<void> {
  const created = await taskEnd(api, create, { json });
  if (!json) writeLine(`VM ${vm} is created.`);
  const started = await taskEnd(api, api.call("vmStart", { params: { vm }, body: {} }), { json });
  if (!json) writeLine(`VM ${vm} is running.`);
  const { addressesText, awaitAddresses, defaultWaitMs } = await import("../../guest-addresses.ts");
  const found = wait ? await awaitAddresses(api, vm, defaultWaitMs) : null;
  if (json) writeJson({ created, started, ...(found === null ? {} : { addresses: found.addresses }) });
  else if (found !== null) writeLine(addressesText(found));
}
