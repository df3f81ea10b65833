/** The datastores of one VM as its host sees them: the one with its folder, and those that only disks of it lie on. */
import type { DiskBase, VmDisk } from "@godwit/contract";
import type { Datastore } from "./datastore.ts";
import { baseAt } from "./disk-base.ts";
import type { ImageOfDisk } from "./image-node.ts";
import { LunStore } from "./datastores/lun-store.ts";
import { VolumeGroup } from "./datastores/volume-group.ts";

export class VmDatastores {
  /** Where the VM's folder lies. */
  readonly own: Datastore;
  readonly #others: ReadonlyMap<string, Datastore>;
  readonly #blocks: ReadonlyMap<string, LunStore | VolumeGroup>;

  constructor(
    own: Datastore,
    others: readonly Datastore[] = [],
    blocks: readonly (LunStore | VolumeGroup)[] = [],
  ) {
    this.own = own;
    this.#others = new Map(others.map((one) => [one.config.name, one]));
    this.#blocks = new Map(blocks.map((one) => [one.name, one]));
  }

  /** Those with nothing of the VM but disks that are files. */
  get others(): Datastore[] {
    return [...this.#others.values()];
  }

  /** @param name absent: the VM's own. @throws TypeError for one that was not opened, or has no files */
  named(name: string | undefined): Datastore {
    if (name === undefined || name === this.own.config.name) return this.own;
    const found = this.#others.get(name);
    if (found === undefined) throw new TypeError(`datastore ${name} was not opened`);
    return found;
  }

  /** Where a disk that is a LUN or a volume lies; null: it is a file. */
  blockStoreOf({ datastore }: { datastore?: string | undefined }): LunStore | VolumeGroup | null {
    return datastore === undefined ? null : (this.#blocks.get(datastore) ?? null);
  }

  /** Those of the disks that are files. */
  files<Disk extends { datastore?: string | undefined }>(disks: readonly Disk[]): Disk[] {
    return disks.filter((disk) => this.blockStoreOf(disk) === null);
  }

  /** Those of the disks that are LUNs, each with where it lies. */
  luns<Disk extends { datastore?: string | undefined }>(
    disks: readonly Disk[],
  ): { disk: Disk; store: LunStore }[] {
    return disks.flatMap((disk) => {
      const store = this.blockStoreOf(disk);
      return store instanceof LunStore ? [{ disk, store }] : [];
    });
  }

  /** Those of the disks that are volumes on a LUN, each with where it lies. */
  volumes<Disk extends { datastore?: string | undefined }>(
    disks: readonly Disk[],
  ): { disk: Disk; store: VolumeGroup }[] {
    return disks.flatMap((disk) => {
      const store = this.blockStoreOf(disk);
      return store instanceof VolumeGroup ? [{ disk, store }] : [];
    });
  }

  /** Those that are LUNs with volumes. */
  get volumeGroups(): VolumeGroup[] {
    return [...this.#blocks.values()].filter((one) => one instanceof VolumeGroup);
  }

  /** Bases of those of the disks that are linked, by absolute paths. */
  bases(disks: readonly VmDisk[]): (DiskBase & { disk: string })[] {
    return this.files(disks).flatMap((disk) => {
      const base = baseAt(this.named(disk.datastore), disk.base);
      return base === null ? [] : [{ disk: disk.name, ...base }];
    });
  }

  /** The image of a disk that is a file with its base, by absolute paths. */
  imageOf(disk: VmDisk): ImageOfDisk {
    return {
      path: this.pathOf(disk),
      format: disk.format,
      base: baseAt(this.named(disk.datastore), disk.base),
    };
  }

  /** The image of a disk that is a file, as an absolute path. */
  pathOf({ datastore, path }: { datastore?: string | undefined; path: string }): string {
    return this.named(datastore).resolve(path);
  }
}
