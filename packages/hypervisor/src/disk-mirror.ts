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
  fileStorage,
  insertedIn,
  type DiskBaseImage,
  type DiskNodeNames,
} from "./disk-nodes.ts";
import { passing } from "./passing.ts";
import type { QemuProcess } from "./qemu-process.ts";
import { showFile } from "./show-file.ts";

export interface DiskImages {
  disk: Pick<VmDisk, "name" | "format">;
  /** Absolute paths, on the host. */
  source: string;
  target: string;
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
    this.#jobId = `relocate-${images.disk.name}`;
  }

  /** Which of the two images the guest's disk is on. @throws QMP_INTERRUPTED, Error when it is on neither */
  async used(): Promise<"source" | "target"> {
    const { source, target } = this.#images;
    const { names } = await this.#device();
    const path = await this.#pathOf(names);
    if (path === target) return "target";
    if (path === source) return "source";
    throw new Error(
      `disk ${this.#images.disk.name} is on ${String(path)}, and not on ${source} or ${target}`,
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
    const { disk, target } = this.#images;
    const { identity } = this.#process;
    const { names: source } = await this.#device();
    const names = otherOf(disk.name, source);
    await this.#removeNodes(names);
    await showFile(identity.pid, target, "lend");
    await beginMirror(this.#process, {
      ...{ jobId: this.#jobId, device: source.format, format: disk.format },
      target: diskNodes(names, disk.format, fileStorage(target)),
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
  async closeOther(path: string): Promise<void> {
    const { names } = await this.#device();
    const used = await this.#pathOf(names);
    if (used === undefined) throw new Error(`QEMU has no file under disk ${this.#images.disk.name}`);
    const { disk, source, base } = this.#images;
    const backing = base !== undefined && used === source ? baseNodeNames(disk.name).format : null;
    const options = diskNodes(names, disk.format, fileStorage(used), backing);
    await this.#process.qmp.execute("blockdev-reopen", { options });
    await this.#removeNodes(otherOf(disk.name, names));
    await showFile(this.#process.identity.pid, path, "hide");
    if (base === undefined || used === source) return;
    await this.#removeNodes(baseNodeNames(disk.name));
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
    const { name } = this.#images.disk;
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
