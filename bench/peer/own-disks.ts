/**
 * The twin's disks where hosts share nothing: in a folder of each libvirt host's own. `virsh migrate --copy-storage-all` copies into images
 * that are there already, so they are made before a move, as libvirt's documentation has it, and the source's are removed after it. Neither counts
 * as a part of the move.
 */
import { chown, copyFile, mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Lab } from "@godwit/lab";
import { run, userIds } from "@godwit/system";
import type { Domain } from "./domain-xml.ts";
import type { LibvirtPeer } from "./libvirt-peer.ts";

/** In a host's own view. */
const folder = "/var/lib/twin";
const names = { first: "data.qcow2", second: "big.raw" } as const;

export class OwnDisks {
  readonly #lab: Lab;
  readonly #peer: LibvirtPeer;
  readonly #second: string;

  /** @param second the content of its second disk, a raw image */
  constructor(lab: Lab, peer: LibvirtPeer, second: string) {
    this.#lab = lab;
    this.#peer = peer;
    this.#second = second;
  }

  /** The domain with its disks on a host's own storage. @param placed on the lab's shared storage */
  async take(placed: Omit<Domain, "qmpSocket">, host: string): Promise<Omit<Domain, "qmpSocket">> {
    if (placed.disk.kind !== "file") throw new TypeError("only images can be copied to a host");
    const image = join(this.#lab.sharedFolder, placed.disk.path.slice(placed.disk.path.indexOf("guest/")));
    await mkdir(this.#outside(host, ""), { recursive: true });
    await copyFile(image, this.#outside(host, names.first));
    await copyFile(this.#second, this.#outside(host, names.second));
    await this.#give(host);
    return {
      ...placed,
      disk: { kind: "file", path: join(folder, names.first) },
      second: { path: join(folder, names.second) },
    };
  }

  /** Images of the same sizes at the destination, with nothing in them. */
  async prepare(from: string, to: string): Promise<void> {
    await mkdir(this.#outside(to, ""), { recursive: true });
    const described = await run(
      "qemu-img",
      ["info", "-U", "--output=json", this.#outside(from, names.first)],
      { what: "reading the size of the twin's disk" },
    );
    const { "virtual-size": bytes } = JSON.parse(described.stdout) as { "virtual-size": number };
    const second = (await stat(this.#outside(from, names.second))).size;
    for (const [name, format, size] of [
      [names.first, "qcow2", bytes],
      [names.second, "raw", second],
    ] as const)
      await run("qemu-img", ["create", "-q", "-f", format, this.#outside(to, name), String(size)], {
        what: "making the twin's disk at the destination",
      });
    await this.#give(to);
  }

  /** The domain is not there any more. */
  async forget(host: string): Promise<void> {
    for (const name of Object.values(names)) await rm(this.#outside(host, name), { force: true });
  }

  #outside(host: string, name: string): string {
    return join(this.#peer.host(host).folder, folder, name);
  }

  /** libvirt leaves the owners of disks as they are. */
  async #give(host: string): Promise<void> {
    const { uid, gid } = await userIds("godwit-qemu");
    for (const name of ["", ...Object.values(names)]) await chown(this.#outside(host, name), uid, gid);
  }
}
