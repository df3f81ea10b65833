/** Errors about VMs that are imported from another product's files, and about images that are converted. */
import { define } from "./define.ts";
import type { RefusedImage } from "./image.ts";

export const importErrors = {
  IMPORT_UNREADABLE: define<{ source: string; reason: string }>(
    422,
    "after-fix",
    (d) => `${d.source} cannot be imported: ${d.reason}.`,
    () =>
      "Name a .vmx, .ovf, .ova, .xml (libvirt) or .conf (Proxmox) file on a datastore of the host, as its product wrote it.",
  ),
  IMPORT_DISK_MISSING: define<{ source: string; disk: string; file: string; datastore: string }>(
    409,
    "after-fix",
    (d) =>
      `${d.source} cannot be imported: the image of its disk ${d.disk} (${d.file}) is not there on datastore ${d.datastore}.`,
    (d) => `Copy it beside the source, or name where it is: --disk ${JSON.stringify(`${d.disk}=PATH`)}`,
  ),
  IMPORT_DISK_FORMAT_UNKNOWN: define<{ source: string; disk: string; file: string }>(
    409,
    "after-fix",
    (d) =>
      `${d.source} cannot be imported: neither it nor the name ${d.file} tells the format of the image of its disk ${d.disk}.`,
    () => "Give the image a name that ends with its format: .vmdk, .qcow2, .raw, .img, .vdi, .vhdx or .vhd.",
  ),
  IMPORT_NETWORK_UNMAPPED: define<{ source: string; nics: string[]; network: string }>(
    409,
    "after-fix",
    (d) =>
      `${d.source} cannot be imported: no port group is named for ${d.nics.join(", ")} in network ${JSON.stringify(d.network)}.`,
    (d) =>
      `Name one for it: --network ${JSON.stringify(`${d.network}=PORTGROUP`)}; or for all: --network PORTGROUP`,
  ),
  IMAGE_IS_SNAPSHOT: define<RefusedImage>(
    409,
    "after-fix",
    (d) =>
      `Disk ${d.disk} of VM ${d.vm} (${d.path}) is not used: it holds only what was written since a snapshot, and the rest lies in another image.`,
    () =>
      "Delete the VM's snapshots where it comes from, which puts its disks together, or clone the VM there; then copy its files again.",
  ),
  IMAGE_CHECKSUM_DIFFERS: define<RefusedImage & { expected: string; found: string }>(
    409,
    "after-fix",
    (d) =>
      `Disk ${d.disk} of VM ${d.vm} (${d.path}) is not used: its checksum is ${d.found}, and should be ${d.expected}.`,
    () => "It was changed or cut off on its way: copy or download it again.",
  ),
} as const;
