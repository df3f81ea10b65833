/** A VM as another product describes it, in words that all formats share. What a format's reader does not understand it lists. Pure. */
import type { CpuTopology, ImageFormat, ImportReport } from "@godwit/contract";

export interface ForeignDisk {
  /** As its product calls it: `scsi0:0`, `vda`, `virtio0`. */
  label: string;
  /** What it is attached to: `pvscsi`, `virtio`. Null: not said. */
  controller: string | null;
  /** Names of files that its image may be, the first that is there; relative to the folder of the source. */
  files: string[];
  /** Null: the file's name tells. */
  format: ImageFormat | null;
  /** Why its image cannot be used, the end of a sentence. Absent: nothing is known against it. */
  unusable?: string;
}

export interface ForeignNic {
  label: string;
  /** Null: not said. */
  network: string | null;
  mac: string | null;
  model: string | null;
}

export interface ForeignCdrom {
  label: string;
  /** Null: the drive is empty. */
  medium: string | null;
}

export interface NotCarried {
  what: string;
  reason: string;
}

export interface ForeignVm {
  /** Null: not said. */
  name: string | null;
  memoryMib: number | null;
  /** What its guest has of its memory, by a balloon. Null: all, with a balloon. Absent: it has no balloon, or that is not said. */
  memoryTargetMib?: number | null;
  /** What it can grow to while it runs. Absent: it does not, or that is not said. */
  maxMemoryMib?: number;
  vcpus: number;
  /** Absent: not said. It need not fit the number of vCPUs. */
  topology?: CpuTopology | undefined;
  /** Labels of disks, CD-ROM drives and NICs, some of which it may not have. Absent: not said. */
  bootOrder?: string[];
  uefi: boolean;
  secureBoot: boolean;
  guestAgent: boolean;
  tpm: boolean;
  /** Whether its guest is said to be Windows, which has no drivers for virtio of its own. */
  windows: boolean;
  /** vSphere's CPU masks: keys and values as in a `.vmx` file. */
  masks: [key: string, value: string][];
  disks: ForeignDisk[];
  nics: ForeignNic[];
  cdroms: ForeignCdrom[];
  /** As the product has it, of any length; null: none. */
  notes: string | null;
  /** Some products have none. Absent: none. */
  tags?: string[];
  notCarried: NotCarried[];
}

export type SourceFormat = ImportReport["format"];

/** The text is none of its format's, or of a VM that cannot be imported. */
export class ImportProblem extends Error {
  override name = "ImportProblem";
}

/** The file's name, whatever path leads to it on another machine. */
export const baseName = (path: string): string => path.split(/[/\\]/).at(-1) ?? path;

/** Devices that many formats have and no VM of Godwit does, one line for all of a kind. */
export function devices(kind: string, labels: readonly string[], reason = noSuchDevice): NotCarried[] {
  if (labels.length === 0) return [];
  return [{ what: `${kind}: ${labels.join(", ")}`, reason }];
}

/** @param coresPerSocket as its product has it; 0 or absent: not said */
export const topologyOf = (vcpus: number, coresPerSocket: number | null): Pick<ForeignVm, "topology"> =>
  coresPerSocket === null || coresPerSocket === 0
    ? {}
    : { topology: { sockets: Math.ceil(vcpus / coresPerSocket), cores: coresPerSocket, threads: 1 } };

export const noSuchDevice = "a VM of Godwit has no such device";
