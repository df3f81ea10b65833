/** A disk that several QEMUs can open at once, as if each were on a host of its own. */
import type { HostName } from "../marks.ts";

export const diskKinds = ["file", "nfs", "iscsi"] as const;
export type DiskKind = (typeof diskKinds)[number];

export interface Disk extends AsyncDisposable {
  readonly kind: DiskKind;
  /** The file behind it, on this machine. */
  readonly backing: string;
  /** What QEMU on this host is told; the drive's id is `disk`. */
  argumentsOn(host: HostName): string[];
}

/** Where storage is made: a folder, and the namespace in which its servers and all QEMUs live. */
export interface Place {
  folder: string;
  namespace: string;
}

/** Without the host's cache: what one QEMU wrote, the others must see. */
export const drive = (file: string): string[] => ["-drive", `if=none,id=disk,format=raw,cache=none,${file}`];
