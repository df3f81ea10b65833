/** What a VM needs of this host before QEMU starts: its disks, its port groups, its taps, as one launch specification. */
import { GodwitError, type Accelerator, type Vm } from "@godwit/contract";
import type { LaunchSpec } from "@godwit/hypervisor";
import { createTaps, deleteTaps, portGroupFacts, tapName } from "@godwit/network";
import { checkDisks, Datastore } from "@godwit/storage";
import { userIds } from "@godwit/system";
import type { AgentConfig } from "../config.ts";

export class Environment {
  readonly #config: AgentConfig;

  constructor(config: AgentConfig) {
    this.#config = config;
  }

  /** @throws DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE */
  async datastore(name: string): Promise<Datastore> {
    const config = this.#config.datastores.find((candidate) => candidate.name === name);
    if (config === undefined) {
      const known = this.#config.datastores.map((one) => one.name);
      throw GodwitError.of("DATASTORE_UNKNOWN", { datastore: name, host: this.#config.name, known });
    }
    return await Datastore.open(config, this.#config.name);
  }

  /**
   * That the VM's disks are its own, and that QEMU may open them: whoever wrote the VM's description or its images.
   * @throws DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE, and what `checkDisks` of storage throws
   */
  async checkDisks(vm: Vm): Promise<void> {
    const { name, qemu } = this.#config;
    await checkDisks(await this.datastore(vm.datastore), vm, await userIds(qemu.user), name);
  }

  /** The disks are checked apart from this. @throws DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE, NETWORK_UNKNOWN */
  async launchSpec(vm: Vm, accelerator: Accelerator, incoming: boolean): Promise<LaunchSpec> {
    const datastore = await this.datastore(vm.datastore);
    await this.checkPortGroups(vm.nics.map(({ portGroup }) => portGroup));
    return {
      vm,
      accelerator,
      diskPaths: Object.fromEntries(vm.disks.map(({ name, path }) => [name, datastore.resolve(path)])),
      kernelPath: vm.boot === undefined ? null : datastore.resolve(vm.boot.kernel),
      initrdPath: vm.boot?.initrd === undefined ? null : datastore.resolve(vm.boot.initrd),
      taps: vm.nics.map(({ mac }, index) => ({ interfaceName: tapName(vm.id, index), mac })),
      incoming,
    };
  }

  /** @throws NETWORK_UNKNOWN */
  async checkPortGroups(names: readonly string[]): Promise<void> {
    const known = (await portGroupFacts(this.#config.portGroups)).map(({ name }) => name);
    const missing = names.find((name) => !known.includes(name));
    if (missing !== undefined) {
      throw GodwitError.of("NETWORK_UNKNOWN", { network: missing, host: this.#config.name, known });
    }
  }

  /** Connects the VM's NICs to their port groups' bridges. */
  async createTaps(vm: Vm): Promise<void> {
    await createTaps(
      vm.nics.map(({ portGroup }, index) => ({
        name: tapName(vm.id, index),
        bridge: this.#config.portGroups.find(({ name }) => name === portGroup)?.bridge ?? portGroup,
        owner: this.#config.qemu.user,
      })),
    );
  }

  async deleteTaps(vm: Vm): Promise<void> {
    await deleteTaps(vm.nics.map((_, index) => tapName(vm.id, index)));
  }
}
