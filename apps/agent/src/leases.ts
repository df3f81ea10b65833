/**
 * This host's leases, asked of the lease service (the server's database) over mutual TLS. One question
 * at a time for each VM, so that answers cannot overtake each other.
 */
import { GodwitError, type Lease, type LeaseMode, type serverOperations, type VmId } from "@godwit/contract";
import type { Client } from "@godwit/client";

/** What happened to a question for a lease. */
export type LeaseAnswer =
  { kind: "granted"; lease: Lease } | { kind: "refused"; held: boolean; error: GodwitError };

export interface VmRef {
  id: VmId;
  name: string;
}

export class Leases {
  readonly #client: Client<typeof serverOperations>;
  readonly #queues = new Map<VmId, Promise<unknown>>();

  constructor(client: Client<typeof serverOperations>) {
    this.#client = client;
  }

  async acquire(vm: VmRef, mode: LeaseMode): Promise<LeaseAnswer> {
    return await this.#ask(vm, () =>
      this.#client.call("leaseAcquire", { params: { vmId: vm.id }, body: { mode, vm: vm.name } }),
    );
  }

  async convert(vm: VmRef, mode: LeaseMode): Promise<LeaseAnswer> {
    return await this.#ask(vm, () =>
      this.#client.call("leaseConvert", { params: { vmId: vm.id }, body: { mode, vm: vm.name } }),
    );
  }

  async release(vm: VmRef): Promise<LeaseAnswer> {
    return await this.#ask(vm, () =>
      this.#client.call("leaseRelease", { params: { vmId: vm.id }, body: { vm: vm.name } }),
    );
  }

  /** Who holds a VM's lease. @throws what the connection throws */
  async show(vm: VmRef): Promise<Lease> {
    return await this.#client.call("leaseShow", { params: { vmId: vm.id } });
  }

  /** What this host holds. @throws what the connection throws */
  async own(): Promise<Lease[]> {
    return (await this.#client.call("leaseListOwn", {})).leases;
  }

  async #ask(vm: VmRef, question: () => Promise<Lease>): Promise<LeaseAnswer> {
    const before = this.#queues.get(vm.id) ?? Promise.resolve();
    const answer = before.then(async (): Promise<LeaseAnswer> => {
      try {
        return { kind: "granted", lease: await question() };
      } catch (error) {
        if (!GodwitError.is(error)) throw error;
        if (error.code === "LEASE_HELD" || error.code === "LEASE_NOT_HELD") {
          return { kind: "refused", held: true, error };
        }
        const details = { vm: vm.name, reason: error.message };
        return {
          kind: "refused",
          held: false,
          error: GodwitError.of("LEASE_UNAVAILABLE", details, { cause: error }),
        };
      }
    });
    const settled = answer.catch(() => undefined);
    this.#queues.set(vm.id, settled);
    void settled.then(() => {
      if (this.#queues.get(vm.id) === settled) this.#queues.delete(vm.id);
    });
    return await answer;
  }
}
