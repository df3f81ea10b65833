/** The two images of a disk that moves while its VM runs, as its QEMU has them: files, or volumes that are active here. */
import type { Vm } from "@godwit/contract";
import { DiskMirror, type MirrorImage, type QemuProcess } from "@godwit/hypervisor";
import {
  placeOf,
  VolumePlace,
  type Relocation,
  type RelocationPlace,
  type VmDatastores,
} from "@godwit/storage";
import type { Leases } from "../leases/leases.ts";
import type { Environment } from "./environment.ts";

export class RelocationImages {
  readonly target: RelocationPlace;
  readonly #source: RelocationPlace;
  readonly #process: QemuProcess;
  readonly #vm: Vm;
  readonly #disk: string;
  /** Of a source that is linked. */
  readonly #base: { base?: { filename: string } };

  /** @param vm as `vm.json` has it. @throws DISK_NOT_OWN, DISK_IS_LUN */
  constructor(process: QemuProcess, stores: VmDatastores, vm: Vm, relocation: Relocation) {
    this.#process = process;
    this.#vm = vm;
    this.#disk = relocation.disk;
    const { base, from } = relocation;
    this.#base =
      base === undefined ? {} : { base: { filename: stores.pathOf({ ...from, path: base.path }) } };
    this.#source = placeOf(stores, vm, relocation, "source");
    this.target = placeOf(stores, vm, relocation, "target");
  }

  /** By the images as they are now: QEMU can have a volume open only while it is active. */
  async mirror(): Promise<DiskMirror> {
    const images = { source: await imageOf(this.#source), target: await imageOf(this.target) };
    return new DiskMirror(this.#process, { disk: this.#disk, ...images, ...this.#base });
  }

  /** What QEMU writes to beside the image that it has. */
  async written(): Promise<string[]> {
    const path = await this.target.opened();
    return path === null ? [] : [path];
  }

  /**
   * From here on a volume is open to QEMU's user. Where this host may be fenced at its LUN, the VM's lease must count afterwards.
   * @throws what the activation of a volume throws, LEASE_NOT_HELD and that the lease could not be looked at
   */
  async attachTarget({
    environment,
    leases,
  }: {
    environment: Pick<Environment, "attachVolume" | "mayBeFencedAt">;
    leases: Pick<Leases, "mustCount">;
  }): Promise<void> {
    const { target } = this;
    if (!(target instanceof VolumePlace)) return;
    await environment.attachVolume(target.store, target.of, this.#process.user);
    if (environment.mayBeFencedAt(target.store)) await leases.mustCount(this.#vm);
  }

  /** Records with the process which of the two it has, for later agents and for moves. */
  async noteUsed(image: "source" | "target"): Promise<void> {
    const place = image === "source" ? this.#source : this.target;
    const path = await place.opened();
    if (path === null) throw new Error(`the volume of disk ${this.#disk} is not active`);
    const { diskPaths, blockDevices = [], taps } = this.#process.spec;
    const others = blockDevices.filter((name) => name !== this.#disk);
    await this.#process.updateDevices({
      ...{ vm: this.#vm, taps, diskPaths: { ...diskPaths, [this.#disk]: path } },
      blockDevices: place.isDevice ? [...others, this.#disk] : others,
    });
  }
}

async function imageOf(place: RelocationPlace): Promise<MirrorImage> {
  const { format, isDevice } = place;
  return { path: await place.opened(), format, isDevice };
}
