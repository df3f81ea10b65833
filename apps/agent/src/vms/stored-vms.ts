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
  type VmChanges,
  type VmClone,
  type VmDescription,
  type VmId,
  type VmImportDraft,
  type VmImportOrder,
} from "@godwit/contract";
import type { Hypervisor } from "@godwit/hypervisor";
import { createVm, deleteVm, listVmFolders, readImport, readVm, type VmFolders } from "@godwit/storage";
import type { AgentConfig } from "../config.ts";
import type { HostDatastores } from "../datastores/host-datastores.ts";
import type { EventLog } from "../event-log.ts";
import type { Leases } from "../leases/leases.ts";
import type { Processes } from "../qemu/processes.ts";
import { reasonOf } from "../reason.ts";
import type { Claims } from "./claims.ts";
import { cloneVm } from "./clone-vm.ts";
import { configureVm } from "./configure-vm.ts";
import type { VmCpus } from "./cpu.ts";
import type { Environment } from "./environment.ts";
import { SharedWork } from "./shared-work.ts";
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
}

export class StoredVms {
  readonly #parts: StoredVmsParts;
  readonly #creating = new SharedWork<Vm>();

  constructor(parts: StoredVmsParts) {
    this.#parts = parts;
  }

  /** Asked again while it goes on, which may take as long as images take to copy, it answers the same. */
  async create(id: VmId, description: VmDescription, cloudInit?: CloudInit | null): Promise<Vm> {
    return await this.#creating.do(id, () => this.#create(id, description, cloudInit));
  }

  /** Copies a VM that does not run. Asked again while it goes on, it answers the same. @throws what `cloneVm` throws */
  async clone(id: VmId, order: VmClone): Promise<Vm> {
    const { copy } = order;
    const make = (description: VmDescription, imagesOf: string, nvram: string) =>
      this.#create(copy.id, description, undefined, { imagesOf, nvram });
    return await this.#creating.do(copy.id, () => cloneVm(this.#parts, id, order, make));
  }

  async #create(
    id: VmId,
    description: VmDescription,
    cloudInit?: CloudInit | null,
    of?: { imagesOf: string; nvram: string },
  ): Promise<Vm> {
    const { config, cpus, environment, hypervisor } = this.#parts;
    const stores = await environment.datastoresOf(description, imageDatastores(description));
    await environment.checkPortGroups(description.nics.map(({ portGroup }) => portGroup));
    const firmware = await environment.firmware(description.name, wishedFirmware(description));
    const macs = description.nics.map((_, index) => macOf(id, index));
    const { machines } = await hypervisor.facts();
    const cpu = await cpus.first({ name: description.name, cpuWish: description.cpu });
    const machine = newestMachine([machines]);
    if (machine === null) throw new TypeError("QEMU offers no versioned q35 machine");
    const defaults = { machine, cpu, macs };
    return await createVm(stores, {
      id,
      description,
      cloudInit,
      imagesOf: of?.imagesOf,
      nvramTemplate: firmware === null ? undefined : (of?.nvram ?? firmware.template),
      defaults,
      owner: config.qemu.user,
      host: config.name,
      onCopy: (copy) => {
        this.#parts.events.append("vm.imageCopied", { kind: "vm", id }, { copy });
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
  async configure(id: VmId, datastore: string, name: string, changes: VmChanges): Promise<Vm> {
    return await configureVm(this.#parts, { id, datastore, name, changes });
  }

  /** @throws VM_RUNNING when it runs on this host; LEASE_HELD when on another */
  async delete(datastore: string, name: string, disks: DisksToDelete): Promise<void> {
    const { config, environment, processes, claims, leases } = this.#parts;
    const store = await environment.datastore(datastore);
    const vm = await readVm(store, name).catch((error: unknown) => {
      if (GodwitError.is(error, "VM_UNKNOWN")) return null; // deleted by an earlier attempt
      throw error;
    });
    if (vm === null) return;
    using _claim = await claims.claim(vm, "it is being deleted");
    if (processes.of(vm.id) !== undefined)
      throw GodwitError.of("VM_RUNNING", { vm: name, host: config.name });
    const lease = await leases.acquire(vm, "EX");
    if (lease.kind === "refused") throw lease.error;
    // Nothing is done to a LUN, and its target may be away.
    const files = vm.disks.filter(({ path }) => lunOf(path) === null);
    await tidyRelocation(environment, { ...vm, disks: files });
    await deleteVm(await environment.datastoresOf({ ...vm, disks: files }), name, disks);
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
