/** A disk that moves between datastores, as a file in the folder of the VM's name. */
import { chmod, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { GodwitError } from "@godwit/contract";
import { run, syncFolder, type UndoStack, type UserIds } from "@godwit/system";
import { convertToFile, type ReadImage } from "./convert-image.ts";
import { copyFile, giveTo, openInside } from "./copy-file.ts";
import type { Datastore } from "./datastore.ts";
import { baseAt, removeImage } from "./disk-base.ts";
import { claimDiskFolder, releaseDiskFolder } from "./disk-folder.ts";
import { readDisk } from "./flatten-image.ts";
import { usedBytesOf } from "./linked-image.ts";
import type { CopyAtRest, PlacedDisk, RelocationPlace } from "./relocation-place.ts";
import type { VmDatastores } from "./vm-datastores.ts";

export class FilePlace implements RelocationPlace {
  readonly isDevice = false;
  readonly #at: PlacedDisk;
  readonly #stores: VmDatastores;
  readonly #store: Datastore;

  constructor(stores: VmDatastores, store: Datastore, at: PlacedDisk) {
    this.#stores = stores;
    this.#store = store;
    this.#at = at;
  }

  get format(): PlacedDisk["format"] {
    return this.#at.format;
  }

  get #path(): string {
    return this.#store.resolve(this.#at.path);
  }

  get #isOwn(): boolean {
    return this.#store === this.#stores.own;
  }

  async mustBeFree(): Promise<void> {
    const { vm, disk, path } = this.#at;
    if ((await this.#store.look(path)) !== "missing")
      throw GodwitError.of("DISK_EXISTS", { vm: vm.name, disk, path: this.#path });
  }

  async clear(): Promise<void> {
    await rm(this.#path, { force: true });
  }

  async usedBytes(): Promise<number> {
    return await usedBytesOf(this.#path, this.#at.base);
  }

  async mustHaveSpace(neededBytes: number): Promise<void> {
    const { freeBytes } = await this.#store.space();
    if (freeBytes < neededBytes)
      throw GodwitError.of("SPACE_SHORT", { path: this.#store.config.path, neededBytes, freeBytes });
  }

  async claim(undo: UndoStack): Promise<void> {
    if (!this.#isOwn) await claimDiskFolder(this.#store, this.#at.vm, undo);
  }

  async make(sizeBytes: number, user: UserIds): Promise<void> {
    const { vm, disk, format } = this.#at;
    await rm(this.#path, { force: true });
    await run("qemu-img", ["create", "-q", "-f", format, this.#path, String(sizeBytes)], {
      what: `creating the new image of disk ${disk} of VM ${vm.name}`,
    });
    await chmod(this.#path, 0o600);
    await giveTo(user, this.#path);
    await syncFolder(dirname(this.#path));
  }

  seen(): Promise<null> {
    return Promise.resolve(null);
  }

  opened(): Promise<string> {
    return Promise.resolve(this.#path);
  }

  /** Whether an image of this format that is complete in itself would be the same file. */
  isSameAs(format: PlacedDisk["format"]): boolean {
    return this.#at.format === format && this.#at.base === undefined;
  }

  async reading<T>({ user }: CopyAtRest, use: (read: ReadImage, user: UserIds) => Promise<T>): Promise<T> {
    const { vm, disk, path, format, base } = this.#at;
    await using file = await openInside(this.#store, path, { vm: vm.name, disk });
    const { uid, gid } = await file.stat();
    const reader = uid === 0 ? user : { uid, gid };
    const place = { vm: vm.name, disk, path: this.#path, user: reader };
    const image = { path: this.#path, format, base: baseAt(this.#store, base) };
    return await use(await readDisk(place, image, `converting disk ${disk} of VM ${vm.name}`), reader);
  }

  /** The image of another file as it is. */
  async copy(source: FilePlace, { onCopy, signal }: Omit<CopyAtRest, "user">): Promise<void> {
    const { vm, disk, path } = source.#at;
    await using file = await openInside(source.#store, path, { vm: vm.name, disk });
    await this.clear();
    const to = { source: source.#path, to: this.#store, target: this.#path };
    await copyFile({ file, ...to, disk, onCopy, signal });
    await giveTo(await file.stat(), this.#path);
    await syncFolder(dirname(this.#path));
  }

  async fill(read: ReadImage, { user, onCopy, signal }: CopyAtRest): Promise<void> {
    const { vm, disk, format } = this.#at;
    await this.clear();
    const place = { vm: vm.name, disk, path: this.#path, user };
    const to = { to: this.#store, target: this.#path, format };
    await convertToFile(place, { ...to, onCopy, signal }, read, read.virtualBytes);
    await giveTo(user, this.#path);
    await syncFolder(dirname(this.#path));
  }

  async remove(): Promise<void> {
    const { vm, path, base } = this.#at;
    await removeImage(this.#store, { path, base });
    const { name } = this.#store.config;
    const isUsed = vm.disks.some(({ datastore }) => (datastore ?? vm.datastore) === name);
    if (!isUsed && !this.#isOwn) await releaseDiskFolder(this.#store, vm);
  }
}
