/** The disks of a VM that is being made. */
import type { ImageCopy, VmDescription, VmDisk, VmId } from "@godwit/contract";
import type { UserIds } from "@godwit/system";

export type DescribedDisk = VmDescription["disks"][number];

/** A VM that is copied, with its disks where some of them are linked. */
export interface CopiedVm {
  id: VmId;
  name: string;
  datastore?: string;
  disks?: readonly VmDisk[];
}

export interface DisksToMake {
  id: VmId;
  vm: string;
  disks: readonly DescribedDisk[];
  /** QEMU's. */
  user: UserIds;
  host: string;
  /** Whether files in the VM's own folder are of an earlier attempt to make this very VM. */
  isRetry: boolean;
  /** The VM is there already: its folders on other datastores stay its, also where this fails. */
  keepsFolders?: boolean;
  /** The VM that is copied: images may be its disks. Absent: none is. */
  imagesOf?: CopiedVm | undefined;
  /** Hears how far the copy of an image is, now and then. */
  onCopy?: ((progress: ImageCopy) => void) | undefined;
  /** Ends the copy of an image, whose undo is the caller's. */
  signal?: AbortSignal | undefined;
}
