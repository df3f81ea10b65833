/**
 * A disk that moves between datastores, as a volume on a LUN. Its name has the VM's id and the disk's name, so what an earlier attempt left of it
 * is known; it is made of zeros each time, and nothing has it open between its making and its use.
 */
import { realpath } from "node:fs/promises";
import type { UserIds } from "@godwit/system";
import { convertOnto, type ReadImage } from "./convert-image.ts";
import type { VolumeDisk, VolumeGroup } from "./datastores/volume-group.ts";
import type { VolumeOnLun } from "./luns/lvm.ts";
import type { CopyAtRest, PlacedDisk, RelocationPlace } from "./relocation-place.ts";
import { usingVolume } from "./volume-image.ts";

const mib = 1048576;

export class VolumePlace implements RelocationPlace {
  readonly format = "raw";
  readonly isDevice = true;
  readonly store: VolumeGroup;
  readonly of: VolumeDisk;
  readonly #name: string;

  /** @throws DISK_NOT_OWN */
  constructor(store: VolumeGroup, { vm, disk, path }: PlacedDisk) {
    this.store = store;
    this.of = { vm, disk: { name: disk, path } };
    this.#name = `${store.name}/${store.volumeOf(this.of)}`;
  }

  async mustBeFree(): Promise<void> {
    await this.store.mustBeFree(this.of);
  }

  /** It is made again from zeros. */
  async clear(): Promise<void> {
    // The making of a volume removes one of its name.
  }

  async usedBytes(): Promise<number> {
    return await this.store.sizeOf(this.of);
  }

  async mustHaveSpace(): Promise<void> {
    // A volume takes the disk's size, and not what is in it: its making says whether there is room.
  }

  async claim(): Promise<void> {
    // Its name says whose it is.
  }

  async make(sizeBytes: number, user: UserIds, signal: AbortSignal | undefined): Promise<void> {
    await this.#make(sizeBytes, user, signal);
    await this.store.detach(this.of);
  }

  async #make(sizeBytes: number, user: UserIds, signal: AbortSignal | undefined): Promise<string> {
    return await this.store.make(this.of, Math.ceil(sizeBytes / mib), user, {
      onMade: () => undefined,
      signal,
    });
  }

  async seen(): Promise<VolumeOnLun | null> {
    return await this.store.find(this.of);
  }

  /** Its device itself: QEMU does not see the links in `/dev/mapper`. */
  async opened(): Promise<string | null> {
    return await realpath(this.store.deviceOf(this.of)).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    });
  }

  async reading<T>({ user }: CopyAtRest, use: (read: ReadImage, user: UserIds) => Promise<T>): Promise<T> {
    const image = { store: this.store, of: this.of, path: this.#name };
    return await usingVolume(image, user, (read) => use(read, user));
  }

  async fill(read: ReadImage, { user, onCopy, signal }: CopyAtRest): Promise<void> {
    const { vm, disk } = this.of;
    const device = await this.#make(read.virtualBytes, user, signal);
    const place = { vm: vm.name, disk: disk.name, path: this.#name, user };
    try {
      await convertOnto(device, place, read, { onCopy, signal });
      signal.throwIfAborted();
    } catch (error) {
      // Its removal, which is next, would do that too; where this host has lost the VM's lease nothing is removed here.
      await this.store.detach(this.of).catch(() => undefined);
      throw error;
    }
    await this.store.detach(this.of);
  }

  async remove(only?: VolumeOnLun): Promise<void> {
    await this.store.remove(this.of, only);
  }
}
