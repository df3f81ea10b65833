/** What a VM needs of this host before QEMU starts: its disks, its port groups, its taps, as one launch specification. */
import { realpath } from "node:fs/promises";
import {
  datastoresOf,
  GodwitError,
  hasFolders,
  type Accelerator,
  type Firmware,
  type StoredVm,
  type Vm,
} from "@godwit/contract";
import {
  hasTpmEmulator,
  uefiImages,
  type LaunchSpec,
  type LaunchUser,
  type UefiImages,
} from "@godwit/hypervisor";
import {
  createTaps,
  deleteTaps,
  isBridge,
  moveTap,
  portSecurityProblem,
  releasePorts,
  securePorts,
  tapsOf,
  type TapSpec,
} from "@godwit/network";
import {
  checkMedium,
  checkNvramSize,
  checkOpens,
  checkOwnFiles,
  checkTpmState,
  Datastore,
  deactivateOf,
  giveDisks,
  inspectDisks,
  LunStore,
  VmDatastores,
  VolumeGroup,
  type VolumeDisk,
} from "@godwit/storage";
import type { UserIds } from "@godwit/system";
import type { AgentConfig } from "../config.ts";
import { HostDatastores, type HostDatastore } from "../datastores/host-datastores.ts";
import { Mounts } from "../datastores/mounts.ts";
import { HostNetworks } from "../networks/host-networks.ts";
import type { Reservations } from "../reservations/reservations.ts";
import { giveHostDevices, takeBackHostDevices } from "./host-devices.ts";
import { VmUsers } from "./vm-users.ts";

export class Environment {
  readonly users: VmUsers;
  readonly #config: AgentConfig;
  readonly #datastores: HostDatastores;
  readonly #mounts: Mounts;
  readonly #networks: HostNetworks;
  /** As they were found first: what is at a datastore's path may be unmounted or replaced under this agent. */
  readonly #found = new Map<string, Datastore>();
  #portSecurity: Promise<string | null> | undefined;
  #reservations: Pick<Reservations, "activating" | "areOn"> | null = null;

  /** @param datastores as the networks, without them those of the configuration */
  constructor(
    config: AgentConfig,
    datastores = HostDatastores.configured(config),
    mounts = new Mounts(config),
    networks = HostNetworks.configured(config),
  ) {
    this.#networks = networks;
    this.#config = config;
    this.#datastores = datastores;
    this.#mounts = mounts;
    this.users = new VmUsers(config.qemu);
  }

  /** Looked at again for every use. @throws DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE, DATASTORE_NOT_MARKED, DATASTORE_REPLACED */
  async datastore(name: string): Promise<Datastore> {
    const has = this.#known(name);
    const { source } = has;
    if (!hasFolders(source))
      throw GodwitError.of("DATASTORE_WITHOUT_FOLDERS", { datastore: name, host: this.#config.name });
    const path = await this.#mounts.folderOf({ name, source });
    const found = this.#found.get(name);
    // Another place is another datastore: what was found at the one before says nothing of it.
    if (found?.config.path !== path || found.config.shared !== has.shared) {
      const config = { name, path, shared: has.shared };
      const opened = await Datastore.open(config, this.#config.name);
      if (this.#found.get(name) === found) this.#found.set(name, opened);
      return opened;
    }
    await found.verify();
    return found;
  }

  /** @throws DATASTORE_UNKNOWN */
  #known(name: string): HostDatastore {
    const has = this.#datastores.find(name);
    if (has !== undefined) return has;
    this.#found.delete(name);
    const known = this.#datastores.all.map((one) => one.name);
    throw GodwitError.of("DATASTORE_UNKNOWN", { datastore: name, host: this.#config.name, known });
  }

  /** One that has LUNs or volumes and no files; null: it has files. @throws DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE, DATASTORE_NOT_MARKED */
  async blockStore(name: string): Promise<LunStore | VolumeGroup | null> {
    const { source, chapSecret } = this.#known(name);
    if (hasFolders(source)) return null;
    if (source.kind === "lun") return await VolumeGroup.open(name, source, this.#config.name);
    const store = new LunStore(name, source, this.#config.name, chapSecret);
    await store.verify();
    return store;
  }

  /**
   * The datastores of a VM, each looked at again.
   * @param more that are needed beside them, by name
   * @throws DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE, DATASTORE_NOT_MARKED, DATASTORE_REPLACED, DATASTORE_WITHOUT_FOLDERS
   */
  async datastoresOf(vm: StoredVm, more: readonly string[] = []): Promise<VmDatastores> {
    const [own = vm.datastore, ...others] = new Set([...datastoresOf(vm), ...more]);
    const places = await Promise.all([
      this.datastore(own),
      ...others.map(async (name) => (await this.blockStore(name)) ?? (await this.datastore(name))),
    ]);
    const [first, ...rest] = places;
    return new VmDatastores(
      first,
      rest.filter((one) => one instanceof Datastore),
      rest.filter((one) => one instanceof LunStore || one instanceof VolumeGroup),
    );
  }

  /**
   * That the VM's files are its own, whoever wrote its description.
   * @throws DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE, and what `checkOwnFiles` of storage throws
   */
  async checkOwnFiles(vm: Vm): Promise<void> {
    await checkOwnFiles(await this.datastoresOf(vm), vm, this.#config.name);
  }

  /**
   * Decides who the VM's QEMU is to run as, and gives the disks to it. Only whoever has the VM's exclusive lease and
   * knows that no QEMU of it runs may ask for that.
   * @param ownUser whether the VM may have a user of its own: all hosts that it could move to know such users
   * @param stillCounts looks at that lease again once the VM's volumes are active
   */
  async giveDisks(vm: Vm, ownUser: boolean, stillCounts: () => Promise<void>): Promise<LaunchUser> {
    await this.checkOwnFiles(vm);
    const user = await this.#giveFiles(vm, ownUser);
    if (await this.attachVolumes(vm, user)) await stillCounts();
    return user;
  }

  async #giveFiles(vm: Vm, ownUser: boolean): Promise<LaunchUser> {
    const stores = await this.datastoresOf(vm);
    const because = ownUser
      ? ((await this.users.problem()) ?? (await giveDisks(stores, vm, this.users.own(vm.id))))
      : "some hosts' agents are of a version that has one user for all VMs";
    if (because === null) return this.users.own(vm.id);
    const shared = await this.users.shared(because);
    // Where the storage refuses this too, what QEMU can open of it is looked at next.
    await giveDisks(stores, vm, shared);
    return shared;
  }

  /**
   * Activates the volumes of a VM that is about to have its QEMU here, for its user alone. They were checked to be its own.
   * @returns whether this host may be fenced at one of them: then the VM's lease must be looked at again before they are opened
   * @throws DISK_MISSING, DISK_IN_USE, DATASTORE_UNAVAILABLE
   */
  async attachVolumes(vm: Vm, user: UserIds): Promise<boolean> {
    const volumes = (await this.datastoresOf(vm)).volumes(vm.disks);
    for (const { disk, store } of volumes) await this.attachVolume(store, { vm, disk }, user);
    return volumes.some(({ store }) => this.mayBeFencedAt(store));
  }

  /**
   * Asked when a volume is active. Where reservations are turned on afterwards, this host does not register again with the LUN until the volume is
   * active no more, once its key is taken away.
   */
  mayBeFencedAt(store: VolumeGroup): boolean {
    return this.#reservations?.areOn(store.name) === true;
  }

  /** One of them. @returns the device's path. @throws the same */
  async attachVolume(store: VolumeGroup, of: VolumeDisk, user: UserIds): Promise<string> {
    const attach = () => store.attach(of, user);
    return await (this.#reservations?.activating(store.name, attach) ?? attach());
  }

  /** From now on volumes are activated as the reservations of their LUNs allow. */
  heed(reservations: Pick<Reservations, "activating" | "areOn">): void {
    this.#reservations = reservations;
  }

  /** What a VM's QEMU used of this host goes, after it: taps, what was activated of its volumes, and that devices are its user's. */
  async release(vm: Vm): Promise<void> {
    const ends = [
      this.deleteTaps(vm),
      // Also those that it has lost while it ran.
      deactivateOf(vm.id),
      takeBackHostDevices(vm.hostDevices ?? [], this.users.own(vm.id)),
    ];
    const failed = (await Promise.allSettled(ends)).find((end) => end.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  /**
   * That the VM's disks are images that QEMU may open, and can: whoever wrote them.
   * @param sourceUid of a VM that runs elsewhere and is to come: what its QEMU runs as there
   * @throws DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE, DISK_PERMISSION_DENIED, and what the inspection of an image throws
   */
  async checkDisks(vm: Vm, user: LaunchUser, sourceUid?: number): Promise<void> {
    const stores = await this.datastoresOf(vm);
    const source = sourceUid === undefined ? {} : { sourceUid };
    const [opened, inspected] = await Promise.allSettled([
      checkOpens(stores, vm, { host: this.#config.name, user, ...source }),
      inspectDisks(stores, vm, user),
    ]);
    // What QEMU may not open is told as that; the inspection may not open it either.
    if (opened.status === "rejected") throw opened.reason;
    if (inspected.status === "rejected") throw inspected.reason;
  }

  /**
   * Where the media of the connected CD-ROM drives lie on this host.
   * @param user that QEMU runs as; null: the VM does not run, and its media are looked at when it is started
   * @throws CDROM_MEDIUM_MISSING, CDROM_MEDIUM_UNUSABLE
   */
  async mediumPaths(vm: Vm, user: UserIds | null): Promise<Record<string, string>> {
    const paths: Record<string, string> = {};
    for (const { name: drive, medium, connected } of vm.cdroms ?? []) {
      if (!connected || medium === null) continue;
      const host = this.#config.name;
      const datastore = await this.datastore(medium.datastore).catch((error: unknown) => {
        if (!GodwitError.is(error)) throw error;
        const reason = error.message.replace(/\.$/, "");
        throw GodwitError.of("CDROM_MEDIUM_UNUSABLE", { vm: vm.name, drive, ...medium, host, reason });
      });
      paths[drive] =
        user === null
          ? datastore.resolve(medium.path)
          : await checkMedium(datastore, { vm: vm.name, drive, path: medium.path, host, user });
    }
    return paths;
  }

  /**
   * The disks are checked apart from this. @throws DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE, NETWORK_UNKNOWN, NETWORK_WITHOUT_BRIDGE,
   *   CDROM_MEDIUM_MISSING, CDROM_MEDIUM_UNUSABLE, UEFI_FIRMWARE_MISSING, NVRAM_UNUSABLE, TPM_UNAVAILABLE, TPM_STATE_UNUSABLE
   */
  async launchSpec(
    vm: Vm,
    accelerator: Accelerator,
    incoming: boolean,
    user: LaunchUser,
  ): Promise<LaunchSpec> {
    const stores = await this.datastoresOf(vm);
    await this.checkPortGroups(vm.nics);
    const uefi = await this.#uefi(stores.own, vm);
    return {
      vm,
      accelerator,
      diskPaths: {
        ...Object.fromEntries(stores.files(vm.disks).map((disk) => [disk.name, stores.pathOf(disk)])),
        ...(await volumePaths(stores, vm)),
      },
      ...blockDevicesOf(stores, vm),
      luns: Object.fromEntries(
        stores
          .luns(vm.disks)
          .map(({ disk, store }) => [disk.name, store.lun({ ...disk, vm: vm.name, disk: disk.name })]),
      ),
      mediumPaths: await this.mediumPaths(vm, user),
      kernelPath: vm.boot === undefined ? null : stores.own.resolve(vm.boot.kernel),
      initrdPath: vm.boot?.initrd === undefined ? null : stores.own.resolve(vm.boot.initrd),
      ...(uefi === null ? {} : { uefi }),
      ...(vm.tpm === true ? { tpm: await this.#tpm(stores.own, vm.name) } : {}),
      ...(incoming ? {} : await giveHostDevices(vm, user, this.#config.name)),
      ...tapsFor(vm),
      incoming,
      user,
    };
  }

  /** @throws UEFI_FIRMWARE_MISSING, NVRAM_UNUSABLE */
  async #uefi(own: Datastore, { name, firmware }: Vm): Promise<LaunchSpec["uefi"] | null> {
    const images = await this.firmware(name, firmware);
    if (images === null || firmware === undefined) return null;
    const { code, varsBytes } = images;
    return { codePath: code, nvramPath: await checkNvramSize(own, name, firmware, varsBytes) };
  }

  /** @throws TPM_UNAVAILABLE, TPM_STATE_UNUSABLE */
  async #tpm(own: Datastore, vm: string): Promise<NonNullable<LaunchSpec["tpm"]>> {
    await this.mustEmulateTpm(vm);
    return { folder: await checkTpmState(own, vm) };
  }

  /** @throws TPM_UNAVAILABLE */
  async mustEmulateTpm(vm: string): Promise<void> {
    if (!(await hasTpmEmulator())) throw GodwitError.of("TPM_UNAVAILABLE", { vm, host: this.#config.name });
  }

  /** Of this host, for a VM; null: the VM boots by the BIOS. @throws UEFI_FIRMWARE_MISSING */
  async firmware(vm: string, wished: Firmware | undefined): Promise<UefiImages | null> {
    if (wished === undefined) return null;
    const { secureBoot } = wished;
    const images = await uefiImages(secureBoot);
    if (images !== null) return images;
    throw GodwitError.of("UEFI_FIRMWARE_MISSING", { vm, host: this.#config.name, secureBoot });
  }

  /** Those of the NICs whose links are up. @throws NETWORK_UNKNOWN, NETWORK_WITHOUT_BRIDGE */
  async checkPortGroups(
    nics: readonly { portGroup: string; connected?: boolean | undefined }[],
  ): Promise<void> {
    const names = nics.flatMap(({ portGroup, connected }) => (connected === false ? [] : [portGroup]));
    const host = this.#config.name;
    for (const network of names) {
      const bridge = this.#networks.find(network)?.bridge;
      if (bridge === undefined) {
        const known = this.#networks.all.map(({ name }) => name);
        throw GodwitError.of("NETWORK_UNKNOWN", { network, host, known });
      }
      if (!(await isBridge(bridge)))
        throw GodwitError.of("NETWORK_WITHOUT_BRIDGE", { host, network, bridge });
    }
  }

  /** Connects the VM's NICs to their port groups' bridges; what they may send is limited from the beginning. */
  async createTaps(vm: Vm, user: LaunchUser): Promise<void> {
    const owner = this.users.ownerOf(user);
    try {
      await Promise.all([createTaps(this.#tapSpecs(vm, owner)), this.securePorts(vm)]);
    } catch (error) {
      await this.deleteTaps(vm).catch(() => undefined); // the first error says what is wrong
      throw error;
    }
  }

  /** Moves the taps of a VM that runs to the bridges of its port groups. @throws NETWORK_BRIDGE_MISSING, PROGRAM_FAILED */
  async moveTaps(vm: Vm, user: LaunchUser): Promise<void> {
    for (const tap of this.#tapSpecs(vm, this.users.ownerOf(user))) await moveTap(tap);
    await this.securePorts(vm);
  }

  #tapSpecs(vm: Vm, owner: string): TapSpec[] {
    const names = tapsOf(vm);
    return vm.nics.map(({ portGroup, connected }, index) => {
      // One whose link is down is in no bridge: its port group may be one that this host does not have.
      if (connected === false) return { name: names[index] as string, bridge: null, owner };
      const { bridge = portGroup, definition } = this.#networks.find(portGroup) ?? {};
      const vlan = this.#networks.filtersVlans ? definition?.vlan : undefined;
      return {
        ...{ name: names[index] as string, bridge, owner },
        ...(vlan === undefined ? {} : { vlan }),
        ...(definition?.mtu === undefined ? {} : { mtu: definition.mtu }),
      };
    });
  }

  /**
   * Lets the VM send with its own MAC addresses only, except where its port group allows others, and from the IP
   * addresses that its description lists.
   * @throws NETWORK_FILTER_MISSING
   */
  async securePorts(vm: Vm): Promise<void> {
    const reason = await this.portSecurityProblem();
    if (reason !== null) {
      if (vm.nics.every(({ addresses }) => addresses === undefined)) return; // told by the host's facts
      throw GodwitError.of("NETWORK_FILTER_MISSING", { vm: vm.name, host: this.#config.name, reason });
    }
    const taps = tapsOf(vm);
    const ports = vm.nics.map(({ portGroup, mac, addresses = null }, index) => ({
      ...{ tap: taps[index] as string, addresses },
      mac: this.#networks.find(portGroup)?.allowForgedTransmits === true ? null : mac,
    }));
    const isLimited = ({ mac, addresses }: (typeof ports)[number]) => mac !== null || addresses !== null;
    await releasePorts(ports.flatMap((port) => (isLimited(port) ? [] : [port.tap])));
    await securePorts(ports.filter(isLimited));
  }

  /** Why what VMs send is not limited on this host; null: it is. Asked once: what is missing is installed before a start. */
  async portSecurityProblem(): Promise<string | null> {
    return await (this.#portSecurity ??= portSecurityProblem());
  }

  async deleteTaps(vm: Vm): Promise<void> {
    const names = tapsOf(vm);
    // Nothing sends by a tap whose QEMU is gone, so that its filter need not outlive it.
    await Promise.all([deleteTaps(names), releasePorts(names)]);
  }
}

/** The devices themselves, by disk: their names are links, which QEMU does not see. */
async function volumePaths(stores: VmDatastores, vm: Vm): Promise<Record<string, string>> {
  const found = stores
    .volumes(vm.disks)
    .map(async ({ disk, store }) => [disk.name, await realpath(store.deviceOf({ vm, disk }))] as const);
  return Object.fromEntries(await Promise.all(found));
}

function blockDevicesOf(stores: VmDatastores, vm: Vm): { blockDevices?: string[] } {
  const blockDevices = stores.volumes(vm.disks).map(({ disk }) => disk.name);
  return blockDevices.length === 0 ? {} : { blockDevices };
}

/** Of a launch specification. */
export const tapsFor = (vm: Vm): Pick<LaunchSpec, "taps" | "namedNics"> => {
  const names = tapsOf(vm);
  return {
    taps: vm.nics.map(({ mac }, index) => ({ interfaceName: names[index] as string, mac })),
    namedNics: true,
  };
};
