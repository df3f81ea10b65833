/** VMs as they lie on this host's datastores: made, read, changed and deleted. Who runs them: see `Vms`. */
import { createHash } from "node:crypto";
import {
  GodwitError,
  imageDatastores,
  lunOf,
  newestMachine,
  wishedFirmware,
  type CloudInit,
  type DisksToDelete,
  type Vm,
  type VmClone,
  type VmDescription,
  type VmId,
  type VmImportDraft,
  type VmImportOrder,
} from "@godwit/contract";
import type { Hypervisor } from "@godwit/hypervisor";
import { createVm, deleteVm, listVmFolders, readImport, readVm, type VmFolders } from "@godwit/storage";
import type { Logger } from "pino";
import type { AgentConfig } from "../config.ts";
import type { HostDatastores } from "../datastores/host-datastores.ts";
import type { EventLog } from "../event-log.ts";
import type { Leases } from "../leases/leases.ts";
import type { Processes } from "../qemu/processes.ts";
import { reasonOf } from "../reason.ts";
import type { Claims } from "./claims.ts";
import { cloneVm } from "./clone-vm.ts";
import { datastoresWithLeft, settleDisks } from "./devices/settle-disks.ts";
import { configureVm, type Configuration } from "./configure-vm.ts";
import { foundHostDevices } from "./host-devices.ts";
import type { VmCpus } from "./cpu.ts";
import type { Environment } from "./environment.ts";
import type { MemoryAdmission } from "./memory-admission.ts";
import { SharedWork } from "./shared-work.ts";
import { tidyFreezing } from "./tidy-freezing.ts";
import { tidyRelocation } from "./tidy-relocation.ts";

export interface StoredVmsParts {
  config: AgentConfig;
  hypervisor: Hypervisor;
  cpus: VmCpus;
  environment: Environment;
  datastores: Pick<HostDatastores, "withFolders" | "shared">;
  processes: Processes;
  leases: Leases;
  claims: Claims;
  events: EventLog;
  memory: MemoryAdmission;
  log: Logger;
}

export class StoredVms {
  readonly #parts: StoredVmsParts;
  readonly #creating = new SharedWork<Vm>();
  readonly #deleting = new SharedWork<void>();
  /** Of copies that are made, by their ids. */
  readonly #cloning = new Map<VmId, AbortController>();

  constructor(parts: StoredVmsParts) {
    this.#parts = parts;
  }

  /** Asked again while it goes on, which may take as long as images take to copy, it answers the same. */
  async create(id: VmId, description: VmDescription, cloudInit?: CloudInit | null): Promise<Vm> {
    return await this.#creating.do(id, () => this.#create(id, description, cloudInit));
  }

  /** Copies a VM that does not run. Asked again while it goes on, it answers the same. @throws VM_CLONE_CANCELLED and what `cloneVm` throws */
  async clone(id: VmId, order: VmClone): Promise<Vm> {
    const { copy } = order;
    return await this.#creating.do(copy.id, async () => {
      const ended = new AbortController();
      this.#cloning.set(copy.id, ended);
      const make = (description: VmDescription, imagesOf: Vm, nvram: string) =>
        this.#create(copy.id, description, undefined, { imagesOf, nvram, signal: ended.signal });
      try {
        return await cloneVm(this.#parts, id, order, make);
      } finally {
        this.#cloning.delete(copy.id);
      }
    });
  }

  /** Ends a copy that goes on, until its disks are whole; whoever asked for it gets the error when nothing is left of it. */
  cancelClone({ name: vm, copy }: VmClone): void {
    this.#cloning.get(copy.id)?.abort(GodwitError.of("VM_CLONE_CANCELLED", { vm, copy: copy.name }));
  }

  async #create(
    id: VmId,
    description: VmDescription,
    cloudInit?: CloudInit | null,
    of?: { imagesOf: Vm; nvram: string; signal: AbortSignal },
  ): Promise<Vm> {
    const { config, cpus, environment, hypervisor } = this.#parts;
    const stores = await environment.datastoresOf(description, imageDatastores(description));
    await environment.checkPortGroups(description.nics);
    const firmware = await environment.firmware(description.name, wishedFirmware(description));
    const macs = description.nics.map((_, index) => macOf(id, index));
    const { machines } = await hypervisor.facts();
    const cpu = await cpus.first({ name: description.name, cpuWish: description.cpu });
    const machine = newestMachine([machines]);
    if (machine === null) throw new TypeError("QEMU offers no versioned q35 machine");
    const found = { vm: description.name, host: config.name };
    const hostDevices = foundHostDevices(description.hostDevices ?? [], found);
    const defaults = { machine, cpu, macs, hostDevices };
    return await createVm(stores, {
      id,
      description,
      cloudInit,
      ...{ imagesOf: of?.imagesOf, signal: of?.signal },
      nvramTemplate: firmware === null ? undefined : (of?.nvram ?? firmware.template),
      defaults,
      owner: config.qemu.user,
      host: config.name,
      onCopy: (copy) => {
        this.#parts.events.append("vm.imageCopied", { kind: "vm", id }, { copy });
      },
      onLeft: (what, error) => {
        this.#parts.log.warn(
          { err: error, vm: description.name, id },
          `could not ${what} of a VM that was not made`,
        );
      },
    });
  }

  async read(datastore: string, name: string): Promise<Vm> {
    return await readVm(await this.#parts.environment.datastore(datastore), name);
  }

  /** A VM of another product, as it would be created here. @throws DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE, and what `readImport` of storage throws */
  async readImport(order: VmImportOrder): Promise<VmImportDraft> {
    return await readImport(await this.#parts.environment.datastore(order.source.datastore), order);
  }

  /** Those that lie on this host's datastores. One that cannot be used is among the folders that cannot be read. */
  async folders(): Promise<VmFolders & { shared: string[] }> {
    const { datastores, environment } = this.#parts;
    const listed = datastores.withFolders.map(async ({ name }): Promise<VmFolders> => {
      try {
        return await listVmFolders(await environment.datastore(name));
      } catch (error) {
        return { vms: [], unreadable: [{ datastore: name, name: "", reason: reasonOf(error) }] };
      }
    });
    const all = await Promise.all(listed);
    return {
      vms: all.flatMap(({ vms }) => vms),
      unreadable: all.flatMap(({ unreadable }) => unreadable),
      shared: datastores.shared,
    };
  }

  /** @throws what `configureVm` throws */
  async configure(configuration: Configuration): Promise<Vm> {
    return await configureVm(this.#parts, configuration);
  }

  /**
   * Asked again while it goes on, which may take as long as a LUN takes to discard, it answers the same.
   * @throws VM_RUNNING when it runs on this host; LEASE_HELD when on another
   */
  async delete(datastore: string, name: string, disks: DisksToDelete): Promise<void> {
    await this.#deleting.do(`${datastore}/${name} ${disks}`, () => this.#delete(datastore, name, disks));
  }

  async #delete(datastore: string, name: string, disks: DisksToDelete): Promise<void> {
    const { config, environment, processes, claims, leases } = this.#parts;
    const store = await environment.datastore(datastore);
    const before = await readVm(store, name).catch((error: unknown) => {
      if (GodwitError.is(error, "VM_UNKNOWN")) return null; // deleted by an earlier attempt
      throw error;
    });
    if (before === null) return;
    using _claim = await claims.claim(before, "it is being deleted");
    if (processes.of(before.id) !== undefined)
      throw GodwitError.of("VM_RUNNING", { vm: name, host: config.name });
    const lease = await leases.acquire(before, "EX");
    if (lease.kind === "refused") throw lease.error;
    // What its disks are, holds only while no other host may change it.
    const vm = await readVm(store, name);
    // Nothing is done to a LUN, and its target may be away.
    const files = vm.disks.filter(({ path }) => lunOf(path) === null);
    await tidyRelocation(environment, { ...vm, disks: files });
    await tidyFreezing(environment, vm);
    // A disk whose removal was cut off is in no description any more.
    await settleDisks(this.#parts, { vm: { ...vm, disks: files }, home: store, process: null });
    const stores =
      disks === "none"
        ? await environment.datastoresOf({ ...vm, disks: files })
        : await datastoresWithLeft(environment, store, { ...vm, disks: files });
    await deleteVm(stores, name, disks);
    processes.forget(vm.id);
    await leases.release(vm);
  }
}

/** In the range that QEMU's vendor prefix leaves to its users; the same for the same VM and NIC. */
function macOf(id: VmId, index: number): string {
  const digest = createHash("sha256")
    .update(`${id}/${String(index)}`)
    .digest();
  const tail = [...digest.subarray(0, 3)].map((byte) => byte.toString(16).padStart(2, "0"));
  return ["52", "54", "00", ...tail].join(":");
}
