/** The leases on a LUN: the hosts' own, in one of its volumes, and in another the lease of whoever changes LVM's metadata. */
import type { DatastoreId } from "@godwit/contract";
import type { RunResult } from "@godwit/system";
import type { LockspaceStorage } from "../leases/lease-files.ts";
import type { LeasePlace } from "../leases/sanlock-resource.ts";
import type { Sanlock } from "../leases/sanlock.ts";
import { leasesVolume, lockVolume } from "./group.ts";
import { underMetadataLock } from "./metadata-lock.ts";
import { activate, deactivate, deviceName, devicePath, isActive } from "./volume-devices.ts";

export interface LeasedGroup {
  /** Of the datastore. */
  id: DatastoreId;
  /** The LUN's. */
  device: string;
  /** Its name. */
  group: string;
}

export class GroupLeases {
  readonly #of: LeasedGroup;
  readonly #sanlock: Sanlock;

  constructor(of: LeasedGroup, sanlock: Sanlock) {
    this.#of = of;
    this.#sanlock = sanlock;
  }

  /** The hosts' lockspace. @param verify that it is still that LUN */
  lockspace(datastore: string, verify: () => Promise<void>): LockspaceStorage {
    const { id: lockspace, group } = this.#of;
    const place = { lockspace, path: devicePath(group, leasesVolume) };
    return {
      ...{ name: datastore, place, verify },
      provide: async () => {
        await this.#needs(leasesVolume);
        return place;
      },
      left: async () => {
        for (const volume of [leasesVolume, lockVolume]) await deactivate(deviceName(group, volume));
      },
    };
  }

  /**
   * Changes LVM's metadata, which one host does at a time.
   * @param words that errors have. @throws LUN_METADATA_LOCKED, PROGRAM_FAILED
   */
  async change(
    argv: readonly string[],
    words: { what: string; datastore: string; host: string },
  ): Promise<RunResult> {
    const { id: lockspace, device, group } = this.#of;
    await this.#needs(lockVolume);
    const path = devicePath(group, lockVolume);
    const place: LeasePlace = { lockspace, resource: lockVolume, path };
    return await underMetadataLock(device, { sanlock: this.#sanlock, place }, argv, words);
  }

  /** Never changed, so one that is active is as it should be. */
  async #needs(volume: string): Promise<void> {
    const { device, group } = this.#of;
    if (!(await isActive(group, volume))) await activate(device, group, volume);
  }
}
