/**
 * A LUN that the hosts' kernels share, as a datastore: an LVM volume group of Godwit's own on it, with a volume for each disk of
 * a VM, thick and raw, which QEMU opens as a block device. The group's name has the datastore's id, and a tag the LUN's
 * WWN, so that a copy that an array made of the LUN is not taken for it. Two small volumes have the hosts' own leases, and the lease of
 * whoever changes LVM's metadata. VMs' folders and leases lie on another datastore.
 */
import {
  GodwitError,
  mostVolumeNameLength,
  volumePath,
  type DatastoreId,
  type LunSource,
  type VmId,
} from "@godwit/contract";
import type { UserIds } from "@godwit/system";
import type { LockspaceStorage } from "../leases/lease-files.ts";
import { Sanlock } from "../leases/sanlock.ts";
import { groupOf } from "../luns/group.ts";
import { GroupLeases } from "../luns/group-leases.ts";
import { cutOffGrowth, wholeExtents } from "../luns/growth.ts";
import { groupsOn, type GroupOnLun, type VolumeOnLun } from "../luns/lvm.ts";
import { Volumes } from "../luns/volumes.ts";
import {
  activateAfresh,
  deactivate,
  deactivated,
  deviceName,
  devicePath,
  giveDevice,
  isBusy,
  resumeSuspended,
} from "../luns/volume-devices.ts";
import { deviceOfLun, unavailable } from "./lun-device.ts";

/** A VM's disk that is a volume. */
export interface VolumeDisk {
  vm: { id: VmId; name: string };
  disk: { name: string; path: string };
}

export class VolumeGroup {
  readonly name: string;
  readonly source: LunSource;
  readonly id: DatastoreId;
  readonly #host: string;
  readonly #device: string;
  readonly #group: GroupOnLun;
  readonly #sanlock: Sanlock;
  readonly #leases: GroupLeases;
  readonly #volumes: Volumes;

  private constructor(
    { name, source, host }: { name: string; source: LunSource; host: string },
    found: { id: DatastoreId; device: string; group: GroupOnLun },
    sanlock: Sanlock,
  ) {
    this.name = name;
    this.source = source;
    this.#host = host;
    this.id = found.id;
    this.#device = found.device;
    this.#group = found.group;
    this.#sanlock = sanlock;
    const { id, device } = found;
    const group = found.group.name;
    this.#leases = new GroupLeases({ id, device, group }, sanlock);
    this.#volumes = new Volumes({ device, group, datastore: name, host }, (argv, what) =>
      this.#leases.change(argv, { what, datastore: name, host }),
    );
  }

  /** Looks at the LUN. @throws DATASTORE_UNAVAILABLE, DATASTORE_NOT_MARKED */
  static async open(
    name: string,
    source: LunSource,
    host: string,
    sanlock = new Sanlock(),
  ): Promise<VolumeGroup> {
    const device = await deviceOfLun(name, source, host);
    const groups = await groupsOn(device).catch((error: unknown) => {
      throw unavailable(
        name,
        host,
        `LUN ${device} cannot be read: ${(error as Error).message.replace(/\.$/, "")}`,
        error,
      );
    });
    const found = groupOf(groups, source.wwn);
    if ("id" in found) return new VolumeGroup({ name, source, host }, { ...found, device }, sanlock);
    const reason = `LUN ${device} (wwn-0x${source.wwn}) ${found.problem}`;
    throw found.isUnmarked
      ? GodwitError.of("DATASTORE_NOT_MARKED", { datastore: name, host, reason })
      : unavailable(name, host, reason);
  }

  space(): { totalBytes: number; freeBytes: number } {
    return { totalBytes: this.#group.sizeBytes, freeBytes: this.#group.freeBytes };
  }

  /** The name of a disk's volume. @throws DISK_NOT_OWN for what is not this very disk's */
  volumeOf({ vm, disk: { name: disk, path } }: VolumeDisk): string {
    const refused = (reason: string) => GodwitError.of("DISK_NOT_OWN", { vm: vm.name, disk, path, reason });
    if (disk.length > mostVolumeNameLength)
      throw refused(
        `on LUN datastore ${this.name} the name of a disk has at most ${String(mostVolumeNameLength)} characters`,
      );
    const own = volumePath(vm.id, disk);
    if (path !== own) throw refused(`on LUN datastore ${this.name} the volume of this disk is ${own}`);
    return own;
  }

  /**
   * A volume of zeros, which another that was here before left nothing in; active here, and the user's. One of its name that is there
   * is what an earlier attempt left.
   * @param onMade hears which it is, before it is zeroed @param signal ends it while it is zeroed @returns the device's path
   */
  async make(
    of: VolumeDisk,
    sizeMib: number,
    user: UserIds,
    { onMade, signal }: { onMade: (volume: VolumeOnLun) => void; signal?: AbortSignal | undefined },
  ): Promise<string> {
    const volume = this.volumeOf(of);
    const isThere = (await this.#volumes.find(volume)) !== null;
    if (isThere) await this.remove(of);
    else this.#mustHaveSpace(sizeMib * 1048576);
    await this.#volumes.create(volume, sizeMib);
    const made = await this.#found(of);
    onMade(made);
    const path = await activateAfresh(this.#device, this.#group.name, volume);
    await this.#volumes.zero(volume, made, { fromBytes: 0, toBytes: made.sizeBytes }, signal);
    await giveDevice(path, user);
    return path;
  }

  /**
   * Its blocks are given back to the LUN, where that takes them (discard). One that is not there is removed already.
   * @param only this one: another of the same name stays. @throws PROGRAM_FAILED when it is open here
   */
  async remove(of: VolumeDisk, only?: VolumeOnLun): Promise<void> {
    const volume = this.volumeOf(of);
    const isFree = await deactivated(deviceName(this.#group.name, volume));
    const found = await this.#volumes.find(volume);
    if (found === null || (only !== undefined && found.uuid !== only.uuid)) return;
    await this.#volumes.remove(volume, found, !isFree);
  }

  /** Removes the volumes of a VM that runs nowhere. @param kept names of those that stay. @throws what `remove` throws */
  async removeOf(vm: VolumeDisk["vm"], kept: ReadonlySet<string>): Promise<void> {
    for (const [name, seen] of await this.#volumes.of(vm.id)) {
      if (kept.has(name)) continue;
      const isFree = await deactivated(deviceName(this.#group.name, name));
      await this.#volumes.remove(name, seen, !isFree);
    }
  }

  /** Null: there is none. @throws DISK_NOT_OWN */
  async find(of: VolumeDisk): Promise<VolumeOnLun | null> {
    return await this.#volumes.find(this.volumeOf(of));
  }

  /** That there is no volume of this name yet. @throws DISK_NOT_OWN, DISK_EXISTS */
  async mustBeFree(of: VolumeDisk): Promise<void> {
    if ((await this.find(of)) === null) return;
    throw GodwitError.of("DISK_EXISTS", { ...this.#named(of), isVolume: true });
  }

  /** In bytes, without what a growth was to add that goes on or was cut off. @throws DISK_NOT_OWN, DISK_MISSING */
  async sizeOf(of: VolumeDisk): Promise<number> {
    const { sizeBytes, tags } = await this.#found(of);
    return cutOffGrowth(tags)?.fromBytes ?? sizeBytes;
  }

  /**
   * Makes a disk's volume at least so large; what is new of it is zeros.
   * @param isOpen whether the VM's QEMU has it here; else the VM runs nowhere
   * @returns its size in bytes. @throws DISK_NOT_OWN, DISK_MISSING, SPACE_SHORT, LUN_METADATA_LOCKED, PROGRAM_FAILED
   */
  async grow(of: VolumeDisk, sizeMib: number, isOpen: boolean): Promise<number> {
    const volume = this.volumeOf(of);
    try {
      const before = await this.#volumes.undoGrowth(volume, await this.#found(of));
      const { sizeBytes: fromBytes } = before;
      const toBytes = wholeExtents(sizeMib * 1048576);
      if (toBytes <= fromBytes) return fromBytes;
      this.#mustHaveSpace(toBytes - fromBytes);
      const grown = await this.#volumes.beginGrowth(volume, before, toBytes);
      if (!isOpen) await activateAfresh(this.#device, this.#group.name, volume);
      await this.#volumes.zero(volume, grown, { fromBytes, toBytes });
      await this.#volumes.endGrowth(volume, grown);
      return toBytes;
    } finally {
      if (isOpen) await resumeSuspended();
      else await this.detach(of);
    }
  }

  /**
   * Activates a disk's volume on this host as the LUN has it now, for this user alone.
   * @returns the device's path. @throws DISK_NOT_OWN, DISK_MISSING, DISK_IN_USE, DATASTORE_UNAVAILABLE
   */
  async attach(of: VolumeDisk, user: UserIds): Promise<string> {
    const volume = this.volumeOf(of);
    try {
      await this.#volumes.undoGrowth(volume, await this.#found(of));
      const path = await activateAfresh(this.#device, this.#group.name, volume);
      await giveDevice(path, user);
      return path;
    } catch (error) {
      throw this.#notAttached(error, of);
    }
  }

  #notAttached(error: unknown, of: VolumeDisk): unknown {
    const isSaid = ["DISK_MISSING", "LUN_METADATA_LOCKED", "PROGRAM_MISSING"] as const;
    if (isSaid.some((code) => GodwitError.is(error, code))) return error;
    const named = this.#named(of);
    const host = this.#host;
    const said = (error as Error).message.replace(/\.$/, "");
    if (isBusy(error))
      return GodwitError.of("DISK_IN_USE", { ...named, by: `a program on host ${host}` }, { cause: error });
    if (/Failed to find logical volume/.test(said))
      return GodwitError.of("DISK_MISSING", { ...named, host }, { cause: error });
    const reason = `LUN ${this.#device}: volume ${this.volumeOf(of)} cannot be activated: ${said}`;
    return unavailable(this.name, host, reason, error);
  }

  /** As errors name it. */
  #named(of: VolumeDisk): { vm: string; disk: string; path: string } {
    return { vm: of.vm.name, disk: of.disk.name, path: `${this.name}/${this.volumeOf(of)}` };
  }

  /** The reverse. It needs nothing of the LUN. @throws DISK_NOT_OWN; PROGRAM_FAILED when it is open */
  async detach(of: VolumeDisk): Promise<void> {
    await deactivate(deviceName(this.#group.name, this.volumeOf(of)));
  }

  /** What QEMU opens of an attached disk. @throws DISK_NOT_OWN */
  deviceOf(of: VolumeDisk): string {
    return devicePath(this.#group.name, this.volumeOf(of));
  }

  /** The lockspace of the hosts on this LUN. */
  lockspace(): LockspaceStorage {
    return this.#leases.lockspace(this.name, async () => {
      await VolumeGroup.open(this.name, this.source, this.#host, this.#sanlock);
    });
  }

  /** @throws DISK_NOT_OWN, DISK_MISSING */
  async #found(of: VolumeDisk): Promise<VolumeOnLun> {
    const found = await this.find(of);
    if (found !== null) return found;
    throw GodwitError.of("DISK_MISSING", { ...this.#named(of), host: this.#host });
  }

  /** @throws SPACE_SHORT */
  #mustHaveSpace(neededBytes: number): void {
    const { freeBytes } = this.space();
    if (neededBytes > freeBytes)
      throw GodwitError.of("SPACE_SHORT", { path: this.#device, neededBytes, freeBytes });
  }
}
