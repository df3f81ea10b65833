/**
 * Volumes of a LUN where the kernel has no device-mapper: each is a file with a loop device, which is there while the volume is
 * active. What Godwit does with them is its own.
 */
import { rmSync, truncateSync, writeFileSync } from "node:fs";
import { chown } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError, volumePath } from "@godwit/contract";
import { run, type UserIds } from "@godwit/system";
import { VolumeGroup, type VolumeDisk } from "../src/datastores/volume-group.ts";
import type { VolumeOnLun } from "../src/luns/lvm.ts";

const mib = 1048576;

export class LoopVolumes {
  readonly volumes = new Map<string, VolumeOnLun>();
  readonly active = new Map<string, string>();
  readonly #folder: string;
  readonly #name: string;
  #made = 0;

  constructor(name: string, folder: string) {
    this.#name = name;
    this.#folder = folder;
  }

  /** What a VM's datastores take for a LUN's. */
  asGroup(): VolumeGroup {
    const own: Partial<VolumeGroup> = {
      volumeOf: (of) => this.#nameOf(of),
      make: (of, sizeMib, user, options) => this.#make(of, sizeMib, user, options),
      remove: (of, only) => this.#remove(of, only),
      removeOf: async (vm, kept) => {
        for (const name of [...this.volumes.keys()]) {
          const [, , disk = ""] = name.split(".");
          const isOwn = name === volumePath(vm.id, disk);
          if (isOwn && !kept.has(name)) await this.#remove({ vm, disk: { name: disk, path: name } });
        }
      },
      attach: async (of, user) => {
        const path = await this.#activate(this.#nameOf(of));
        await chown(path, user.uid, user.gid);
        return path;
      },
      detach: (of) => this.#deactivate(this.#nameOf(of)),
      find: (of) => Promise.resolve(this.volumes.get(this.#nameOf(of)) ?? null),
      mustBeFree: (of) => {
        const name = this.#nameOf(of);
        if (!this.volumes.has(name)) return Promise.resolve();
        const named = { vm: of.vm.name, disk: of.disk.name, path: `${this.#name}/${name}` };
        return Promise.reject(GodwitError.of("DISK_EXISTS", { ...named, isVolume: true }));
      },
      deviceOf: (of) => this.active.get(this.#nameOf(of)) ?? "/dev/mapper/not-active",
      sizeOf: (of) => Promise.resolve(this.volumes.get(this.#nameOf(of))?.sizeBytes ?? 0),
    };
    return Object.assign(Object.create(VolumeGroup.prototype) as VolumeGroup, { name: this.#name }, own);
  }

  fileOf(volume: string): string {
    return join(this.#folder, volume);
  }

  async close(): Promise<void> {
    for (const volume of [...this.active.keys()]) await this.#deactivate(volume);
  }

  #nameOf({ vm, disk }: VolumeDisk): string {
    const own = volumePath(vm.id, disk.name);
    if (disk.path === own) return own;
    throw GodwitError.of("DISK_NOT_OWN", {
      ...{ vm: vm.name, disk: disk.name, path: disk.path, reason: "it is another's" },
    });
  }

  async #make(
    of: VolumeDisk,
    sizeMib: number,
    user: UserIds,
    { onMade, signal }: Parameters<VolumeGroup["make"]>[3],
  ): Promise<string> {
    const name = this.#nameOf(of);
    await this.#remove(of);
    writeFileSync(this.fileOf(name), "");
    truncateSync(this.fileOf(name), sizeMib * mib);
    this.#made += 1;
    const volume = { uuid: String(this.#made), sizeBytes: sizeMib * mib, tags: [] };
    this.volumes.set(name, volume);
    onMade(volume);
    signal?.throwIfAborted();
    const path = await this.#activate(name);
    await chown(path, user.uid, user.gid);
    return path;
  }

  async #remove(of: VolumeDisk, only?: VolumeOnLun): Promise<void> {
    const name = this.#nameOf(of);
    await this.#deactivate(name);
    if (only !== undefined && this.volumes.get(name)?.uuid !== only.uuid) return;
    this.volumes.delete(name);
    rmSync(this.fileOf(name), { force: true });
  }

  async #activate(name: string): Promise<string> {
    await this.#deactivate(name);
    const words = ["--find", "--show", this.fileOf(name)];
    const path = (await run("losetup", words, { what: "activating a volume" })).stdout.trim();
    this.active.set(name, path);
    return path;
  }

  async #deactivate(name: string): Promise<void> {
    const path = this.active.get(name);
    if (path === undefined) return;
    await run("losetup", ["--detach", path], { what: "deactivating a volume" });
    this.active.delete(name);
  }
}
