/**
 * The disks of a running QEMU are mirrored to those of a QEMU on another host, over NBD with TLS. Each write of the guest goes to
 * both. The mirrors are ended while the guest stands still; the guest stays on its own images. Nothing is remembered here: after a
 * restart QEMU says which mirrors there are.
 */
import type { VmDisk } from "@godwit/contract";
import { beginMirror } from "./begin-mirror.ts";
import { diskNodeNames, insertedIn } from "./disk-nodes.ts";
import { credentials } from "./migration-port.ts";
import { nodeName } from "./node-name.ts";
import { passing } from "./passing.ts";
import type { QemuProcess } from "./qemu-process.ts";

export interface CarriedDisks {
  /** Of the least advanced; `over`: at least one has ended, well or not. `none`: there are no mirrors. */
  status: "none" | "copying" | "ready" | "over";
  copiedBytes: number;
  totalBytes: number;
  /** Why a mirror has failed; null: none has. */
  error: string | null;
}

/** Where the destination's QEMU takes them. */
export interface DisksPlace {
  address: string;
  port: number;
  /** The destination's name in its certificate. */
  destinationName: string;
}

const jobOf = (disk: string): string => `carry-${disk}`;
const nodeOf = (disk: string): string => nodeName("nbd-", disk);
/** QEMU's words for a job that has caught up, and for one that is over. */
const caughtUp: readonly string[] = ["ready", "standby"];
const over: readonly string[] = ["concluded", "null"];
const gone = /in state|cannot accept|not found/i;

export class DiskCarrier {
  readonly #process: QemuProcess;
  readonly #disks: readonly Pick<VmDisk, "name" | "format">[];

  constructor(process: QemuProcess) {
    this.#process = process;
    this.#disks = process.spec.vm.disks;
  }

  /** What the guest sees of each disk, bytes. @throws QMP_INTERRUPTED */
  async sizes(): Promise<Record<string, number>> {
    const blocks = await this.#process.qmp.execute("query-block");
    return Object.fromEntries(
      this.#disks.map(({ name }) => {
        const size = insertedIn(blocks, name)?.image["virtual-size"];
        if (size === undefined) throw new Error(`QEMU has no image in disk ${name}`);
        return [name, size];
      }),
    );
  }

  /**
   * Begins to mirror all disks. The credentials are those of the migration stream, which are there already.
   * @param bytesPerSecond of all together; null: as fast as it goes
   * @throws QMP_REFUSED: nothing is left of it after `cancel`
   */
  async start({ address, port, destinationName }: DisksPlace, bytesPerSecond: number | null): Promise<void> {
    const { qmp } = this.#process;
    const blocks = await qmp.execute("query-block");
    for (const { name, format } of this.#disks) {
      const device = insertedIn(blocks, name)?.["node-name"] ?? diskNodeNames(name)[0].format;
      await beginMirror(this.#process, {
        ...{ jobId: jobOf(name), device, format },
        target: [
          {
            ...{ driver: "nbd", "node-name": nodeOf(name), export: name },
            ...{ server: { type: "inet", host: address, port: String(port) } },
            ...{ "tls-creds": credentials, "tls-hostname": destinationName },
          },
        ],
        bytesPerSecond: bytesPerSecond === null ? null : bytesPerSecond / this.#disks.length,
        autoFinalize: true,
      });
    }
  }

  async look(): Promise<CarriedDisks> {
    const jobs = await this.#jobs();
    const sum = (of: (job: (typeof jobs)[number]) => number) =>
      jobs.reduce((total, job) => total + of(job), 0);
    const isOver = jobs.some(({ status }) => over.includes(status));
    const isReady = jobs.every(({ status }) => caughtUp.includes(status));
    return {
      status: jobs.length === 0 ? "none" : isOver ? "over" : isReady ? "ready" : "copying",
      copiedBytes: sum((job) => job["current-progress"]),
      totalBytes: sum((job) => job["total-progress"]),
      error: jobs.find(({ error }) => error !== undefined)?.error ?? null,
    };
  }

  /**
   * Has the mirrors end, which have caught up: then the other images are the same as these, and flushed there. The disks stay on
   * these.
   */
  async end(): Promise<void> {
    const { qmp } = this.#process;
    for (const { name } of this.#disks)
      await qmp.execute("block-job-cancel", { device: jobOf(name), force: false });
  }

  /** Whether all have ended, well. @throws Error with why one has failed */
  async haveEnded(): Promise<boolean> {
    const jobs = await this.#jobs();
    const failed = jobs.find(({ error }) => error !== undefined);
    if (failed !== undefined) throw new Error(failed.error);
    if (jobs.length < this.#disks.length) throw new Error("QEMU has lost a mirror");
    return jobs.every(({ status }) => over.includes(status));
  }

  /** Ends what there is of mirrors, at once, and leaves nothing of them. @throws QMP_INTERRUPTED */
  async cancel(): Promise<void> {
    const { qmp } = this.#process;
    for (const { id } of await this.#jobs()) await passing(qmp.execute("job-cancel", { id }), gone);
  }

  /** Takes away what is left of mirrors that have ended. @returns whether nothing is left */
  async tidy(): Promise<boolean> {
    const { qmp } = this.#process;
    const jobs = await this.#jobs();
    for (const { id } of jobs.filter(({ status }) => over.includes(status)))
      await passing(qmp.execute("job-dismiss", { id }), gone);
    if (jobs.some(({ status }) => !over.includes(status))) return false;
    for (const { name } of this.#disks) {
      const left = qmp.execute("blockdev-del", { "node-name": nodeOf(name) });
      await passing(left, /Failed to find node|Cannot find/i);
    }
    return true;
  }

  async #jobs() {
    const jobs = await this.#process.qmp.execute("query-jobs");
    return jobs.filter(({ id }) => this.#disks.some(({ name }) => id === jobOf(name)));
  }
}
