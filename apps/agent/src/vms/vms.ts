/**
 * VMs of this host: made, started, stopped, deleted. A VM is started only with its exclusive lease, and
 * the lease is given back only when its process is gone.
 */
import { createHash } from "node:crypto";
import {
  GodwitError,
  type Vm,
  type VmCpu,
  type VmDescription,
  type VmId,
  type VmRuntime,
} from "@godwit/contract";
import type { Hypervisor, QemuProcess } from "@godwit/hypervisor";
import { createVm, deleteVm, readVm } from "@godwit/storage";
import { UndoStack } from "@godwit/system";
import type { Logger } from "pino";
import type { AgentConfig } from "../config.ts";
import type { Leases } from "../host/leases.ts";
import type { Claims } from "./claims.ts";
import { completionDefaults } from "./defaults.ts";
import type { Environment } from "./environment.ts";
import type { Processes } from "./processes.ts";

export interface VmsParts {
  config: AgentConfig;
  hypervisor: Hypervisor;
  environment: Environment;
  processes: Processes;
  leases: Leases;
  claims: Claims;
  log: Logger;
}

export class Vms {
  readonly #parts: VmsParts;

  constructor(parts: VmsParts) {
    this.#parts = parts;
  }

  async create(id: VmId, description: VmDescription): Promise<Vm> {
    const { config, environment, hypervisor } = this.#parts;
    const datastore = await environment.datastore(description.datastore);
    await environment.checkPortGroups(description.nics.map(({ portGroup }) => portGroup));
    const macs = description.nics.map((_, index) => macOf(id, index));
    const cpu: VmCpu | undefined = description.cpu;
    const defaults = { ...completionDefaults(await hypervisor.facts(), cpu), macs };
    return await createVm(datastore, {
      id,
      description,
      defaults,
      owner: config.qemu.user,
      host: config.name,
    });
  }

  async read(datastore: string, name: string): Promise<Vm> {
    return await readVm(await this.#parts.environment.datastore(datastore), name);
  }

  /** @throws VM_RUNNING when it runs on this host; LEASE_HELD when on another */
  async delete(datastore: string, name: string): Promise<void> {
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
    await deleteVm(store, name);
    await leases.release(vm);
  }

  /** @throws VM_BUSY, LEASE_HELD, LEASE_UNAVAILABLE, VM_START_FAILED and what is missing on this host */
  async start(vm: Vm): Promise<VmRuntime> {
    const { hypervisor, environment, processes, leases, claims } = this.#parts;
    if (processes.of(vm.id) !== undefined && processes.stateOf(vm.id) === "running")
      return this.#runtime(vm.id);
    using _claim = await claims.claim(vm, "it is being started");
    const existing = processes.of(vm.id);
    if (existing !== undefined) {
      // Paused, or left standing by a start that was cut off; whoever holds the lease may let it run.
      await this.#exclusive(vm);
      await existing.resume();
      return this.#runtime(vm.id);
    }
    const { accelerator } = await hypervisor.facts();
    const spec = await environment.launchSpec(vm, accelerator, false);
    await using undo = new UndoStack((what, error) => {
      this.#parts.log.warn({ err: error, vm: vm.name }, `could not ${what}`);
    });
    await this.#exclusive(vm);
    undo.push("release the lease", () => leases.release(vm));
    await environment.createTaps(vm);
    undo.push("delete the taps", () => environment.deleteTaps(vm));
    const process = await hypervisor.start(spec);
    processes.add(process, "starting");
    undo.push("end QEMU", async () => {
      processes.remove(vm.id, "stopped");
      await process.end();
    });
    await process.resume();
    processes.mark(vm.id, "running");
    undo.commit();
    return this.#runtime(vm.id);
  }

  /** Powers off: the guest's own way within the grace time, then QEMU's. @throws VM_BUSY */
  async stop(vmId: VmId, graceSeconds: number): Promise<void> {
    const { processes, claims, leases, environment } = this.#parts;
    const process = processes.of(vmId);
    if (process === undefined) return;
    const { vm } = process.spec;
    using _claim = await claims.claim(vm, "it is being stopped");
    processes.mark(vmId, "stopping");
    if (graceSeconds > 0) await powerDown(process, graceSeconds);
    processes.remove(vmId, "stopped");
    await process.end();
    await environment.deleteTaps(vm);
    await leases.releaseUnlessShared(vm);
  }

  /** A process ended by itself: what is left of it goes too. The lease is upkeep's business. */
  async clearAfter(process: QemuProcess): Promise<void> {
    await this.#parts.environment.deleteTaps(process.spec.vm);
    await process.removeFolder();
  }

  async #exclusive(vm: Vm): Promise<void> {
    const { leases } = this.#parts;
    const answer = await leases.acquire(vm, "EX");
    if (answer.kind === "refused") throw answer.error;
  }

  #runtime(vmId: VmId): VmRuntime {
    const runtime = this.#parts.processes.runtimes.find(({ id }) => id === vmId);
    if (runtime === undefined) throw new Error(`VM ${vmId} has no process`);
    return runtime;
  }
}

async function powerDown(process: QemuProcess, graceSeconds: number): Promise<void> {
  const limit = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => {
    limit.resolve(undefined);
  }, graceSeconds * 1000);
  try {
    // A guest that stands still cannot hear the button.
    if (!(await process.status()).running) return;
    await process.powerDown();
    await Promise.race([process.ended, limit.promise]);
  } catch (error) {
    if (!GodwitError.is(error)) throw error; // QEMU is gone or does not listen: it is ended next
  } finally {
    clearTimeout(timer);
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
