/**
 * The begin of a mirror job that misses no write. QEMU (10.0.2) looks which clusters of the source are allocated, and copies only
 * those: one that the guest allocates during that look, behind it, never reaches the target. Where the target cannot be emptied by
 * discards, QEMU does not look: it goes through the whole disk, and writes zeros where there are zeros. So the target takes no discards
 * as long as it is copied to; opening it again meanwhile would pause the job, after which QEMU loses writes too. All of a raw
 * image counts as allocated. A block device takes none either: QEMU would write it over with zeros first, which it is full of.
 */
import type { VmDisk } from "@godwit/contract";
import type { QemuProcess } from "./qemu-process.ts";

/** QEMU's options for a node. */
export type NodeOptions = Record<string, unknown> & { "node-name": string };

export interface MirrorOrder {
  jobId: string;
  /** The node that the disk is on. */
  device: string;
  format: VmDisk["format"];
  /** Whether the target is a block device, which is full of zeros. */
  isDevice?: boolean;
  /** Whether zeros are looked for in what is copied, and left out of the target. */
  findsZeros?: boolean;
  /** What the image is opened as, the upper node last. */
  target: readonly NodeOptions[];
  /** Null: as fast as it goes. */
  bytesPerSecond: number | null;
  /** Whether it ends by itself once it is asked to, or has to be finalized. */
  autoFinalize: boolean;
}

/** Each write of the guest goes to both from then on. @throws QMP_REFUSED: what there is of job and nodes is the caller's to remove */
export async function beginMirror(
  { qmp }: Pick<QemuProcess, "qmp">,
  { jobId, device, format, isDevice, findsZeros, target, bytesPerSecond, autoFinalize }: MirrorOrder,
): Promise<void> {
  const discard = format === "raw" && isDevice !== true ? "unmap" : "ignore";
  for (const node of target) {
    const zeros = findsZeros === true && node === target.at(-1) ? { "detect-zeroes": "unmap" } : {};
    await qmp.execute("blockdev-add", { ...node, discard, ...zeros });
  }
  await qmp.execute("blockdev-mirror", {
    ...{ "job-id": jobId, device, target: target.at(-1)?.["node-name"], sync: "full" },
    // Else a guest that writes faster than the target takes it would never let it end.
    "copy-mode": "write-blocking",
    ...(bytesPerSecond === null ? {} : { speed: Math.ceil(bytesPerSecond) }),
    ...{ "auto-finalize": autoFinalize, "auto-dismiss": false },
  });
}
