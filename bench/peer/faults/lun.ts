/** The guest's disk on iSCSI, served from the lab's server: a place that no cell's faults take away. */
import { join } from "node:path";
import { buildGuest, serverAddress, startIscsiTarget, type IscsiTarget, type Lab } from "@godwit/lab";
import { run } from "@godwit/system";
import type { DomainDisk } from "../domain-xml.ts";

export class Lun implements AsyncDisposable {
  readonly #image: string;
  readonly #backing: string;
  readonly #server: IscsiTarget;

  private constructor(image: string, backing: string, server: IscsiTarget) {
    this.#image = image;
    this.#backing = backing;
    this.#server = server;
  }

  /** @throws PROGRAM_FAILED, PROGRAM_MISSING */
  static async start(lab: Lab): Promise<Lun> {
    const { disk } = await buildGuest(() => undefined);
    const backing = join(lab.folder, "lun");
    await write(disk, backing, []);
    const folder = join(lab.folder, "iscsi");
    return new Lun(
      disk,
      backing,
      await startIscsiTarget({ namespace: lab.namespace("server"), folder, address: serverAddress, backing }),
    );
  }

  /** The guest's disk as new. */
  async renew(): Promise<DomainDisk> {
    await write(this.#image, this.#backing, ["-n"]); // in its place: the target has it open
    const { port, target } = this.#server;
    return { kind: "iscsi", address: serverAddress, port, target };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

async function write(image: string, backing: string, options: readonly string[]): Promise<void> {
  await run("qemu-img", ["convert", "-f", "qcow2", "-O", "raw", ...options, image, backing], {
    what: "writing the guest's disk to the LUN",
  });
}
