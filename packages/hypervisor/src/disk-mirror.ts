/**
 * A disk of a running QEMU comes onto another image. QEMU's mirror job copies, and passes each write of the guest on to both. It
 * is told to end when both are the same; it then stays pending, with the disk's requests held back, until it is finalized or
 * cancelled. Nothing is remembered here: after a restart QEMU itself says which image the disk is on and how far the job is.
 */
import type { VmDisk } from "@godwit/contract";
import { beginMirror } from "./begin-mirror.ts";
import {
  baseNodeNames,
  diskNodeNames,
  diskNodes,
  insertedIn,
  storageAt,
  type DiskBaseImage,
  type DiskNodeNames,
} from "./disk-nodes.ts";
import { passing } from "./passing.ts";
import type { QemuProcess } from "./qemu-process.ts";
import { showFile } from "./show-file.ts";

/** An image as QEMU opens it. */
export interface MirrorImage {
  /** Absolute, on the host; null: QEMU cannot have it open, for it is a volume that is not active. */
  path: string | null;
  format: VmDisk["format"];
  /** Whether it is a block device. */
  isDevice: boolean;
}

export interface DiskImages {
  /** The disk's name. */
  disk: string;
  source: MirrorImage;
  target: MirrorImage;
  /** Of the source; the target is complete in itself. Absent: so is the source. */
  base?: Pick<DiskBaseImage, "filename"> | undefined;
}

export interface MirrorJob {
  status: "copying" | "ready" | "pending" | "over";
  copiedBytes: number;
  totalBytes: number;
  /** Why it has failed; null: it has not. */
  error: string | null;
}

/** QEMU's states of a job that are not passed over at once. */
const statuses: Readonly<Record<string, MirrorJob["status"]>> = {
  ready: "ready",
  standby: "ready",
  pending: "pending",
  aborting: "copying",
  concluded: "over",
};

export class DiskMirror {
  readonly #process: QemuProcess;
  readonly #images: DiskImages;
  readonly #jobId: string;

  constructor(process: QemuProcess, images: DiskImages) {
    this.#process = process;
    this.#images = images;
    this.#jobId = `relocate-${images.disk}`;
  }

  /** Which of the two images the guest's disk is on. @throws QMP_INTERRUPTED, Error when it is on neither */
  async used(): Promise<"source" | "target"> {
    const { names } = await this.#device();
    return await this.#usedBy(names);
  }

  async #usedBy(names: DiskNodeNames): Promise<"source" | "target"> {
    const { disk, source, target } = this.#images;
    const path = await this.#pathOf(names);
    if (path !== undefined && path === target.path) return "target";
    if (path !== undefined && path === source.path) return "source";
    throw new Error(
      `disk ${disk} is on ${String(path)}, and not on ${String(source.path)} or ${String(target.path)}`,
    );
  }

  /** Null: there is none. */
  async job(): Promise<MirrorJob | null> {
    const jobs = await this.#process.qmp.execute("query-jobs");
    const job = jobs.find(({ id }) => id === this.#jobId);
    if (job === undefined) return null;
    return {
      status: statuses[job.status] ?? "copying",
      copiedBytes: job["current-progress"],
      totalBytes: job["total-progress"],
      error: job.error ?? null,
    };
  }

  /** The size that the guest sees, bytes. */
  async sizeBytes(): Promise<number> {
    return (await this.#device()).sizeBytes;
  }

  /**
   * Opens the target, which is there, of the disk's size and its user's, and begins to copy.
   * @param bytesPerSecond null: as fast as it goes
   */
  async start(bytesPerSecond: number | null): Promise<void> {
    const { disk, source, target } = this.#images;
    if (target.path === null) throw new Error(`the new volume of disk ${disk} is not active`);
    const { identity } = this.#process;
    const { names: used } = await this.#device();
    const names = otherOf(disk, used);
    await this.#removeNodes(names);
    await showFile(identity.pid, target.path, "lend");
    await beginMirror(this.#process, {
      ...{ jobId: this.#jobId, device: used.format, format: source.format, isDevice: target.isDevice },
      // All of a block device counts as allocated: what is zeros there need not be in a file.
      findsZeros: source.isDevice && !target.isDevice,
      target: diskNodes(names, target.format, storageAt(target.path, target.isDevice)),
      ...{ bytesPerSecond, autoFinalize: false },
    });
  }

  /** Has the job end when both images are the same: it is pending then. QEMU tells `ready` still for a while; asked again, nothing changes. */
  async end(): Promise<void> {
    await passing(
      this.#process.qmp.execute("job-complete", { id: this.#jobId }),
      /in state '(waiting|pending|aborting|concluded)'/,
    );
  }

  /** The disk is on the target from now on. */
  async change(): Promise<void> {
    await this.#process.qmp.execute("job-finalize", { id: this.#jobId });
  }

  /** The disk stays on the source. One that is over already stays as it is. */
  async cancel(): Promise<void> {
    await passing(
      this.#process.qmp.execute("job-cancel", { id: this.#jobId }),
      /in state|cannot accept|not found/i,
    );
  }

  async dismiss(): Promise<void> {
    await this.#process.qmp.execute("job-dismiss", { id: this.#jobId });
  }

  /** Closes the image that the disk is not on, and takes it from what QEMU sees. The other one takes discards from now on. */
  async closeOther(): Promise<void> {
    const { disk, source, target, base } = this.#images;
    const { names } = await this.#device();
    const isOnTarget = (await this.#usedBy(names)) === "target";
    const [{ path, format, isDevice }, other] = isOnTarget ? [target, source] : [source, target];
    if (path === null) throw new Error(`QEMU has no file under disk ${disk}`);
    const backing = base !== undefined && !isOnTarget ? baseNodeNames(disk).format : null;
    const options = diskNodes(names, format, storageAt(path, isDevice), backing);
    await this.#process.qmp.execute("blockdev-reopen", { options });
    await this.#removeNodes(otherOf(disk, names));
    if (other.path !== null) await showFile(this.#process.identity.pid, other.path, "hide");
    if (base === undefined || !isOnTarget) return;
    await this.#removeNodes(baseNodeNames(disk));
    await showFile(this.#process.identity.pid, base.filename, "hide");
  }

  async #removeNodes({ format, storage }: DiskNodeNames): Promise<void> {
    for (const name of [format, storage])
      await passing(
        this.#process.qmp.execute("blockdev-del", { "node-name": name }),
        /Failed to find node|Cannot find/i,
      );
  }

  async #device(): Promise<{ names: DiskNodeNames; sizeBytes: number }> {
    const { disk: name } = this.#images;
    const inserted = insertedIn(await this.#process.qmp.execute("query-block"), name);
    const names = diskNodeNames(name).find(({ format }) => format === inserted?.["node-name"]);
    if (inserted === undefined || names === undefined)
      throw new Error(`QEMU has disk ${name} on node ${String(inserted?.["node-name"])}`);
    return { names, sizeBytes: inserted.image["virtual-size"] };
  }

  async #pathOf({ storage }: DiskNodeNames): Promise<string | undefined> {
    const nodes = await this.#process.qmp.execute("query-named-block-nodes", { flat: true });
    return nodes.find((node) => node["node-name"] === storage)?.file;
  }
}

const otherOf = (disk: string, { format }: DiskNodeNames): DiskNodeNames => {
  const [first, second] = diskNodeNames(disk);
  return format === first.format ? second : first;
};
