/**
 * Leases of VMs on host-local datastores: rows in the server's database, asked for over mutual TLS.
 */
import { GodwitError, type Lease, type LeaseMode, type serverOperations, type VmId } from "@godwit/contract";
import type { Client } from "@godwit/client";

interface VmName {
  id: VmId;
  name: string;
}

export class RowLeases {
  readonly #client: Client<typeof serverOperations>;
  readonly #host: string;
  #number = 0;

  /** @param host this host's name */
  constructor(client: Client<typeof serverOperations>, host: string) {
    this.#client = client;
    this.#host = host;
  }

  /** @throws LEASE_HELD and what the connection throws */
  async acquire(vm: VmName, mode: LeaseMode): Promise<Lease> {
    return await this.#numbered((number) =>
      this.#client.call("leaseAcquire", { params: { vmId: vm.id }, body: { mode, vm: vm.name, number } }),
    );
  }

  /** @throws LEASE_NOT_HELD, LEASE_HELD and what the connection throws */
  async convert(vm: VmName, mode: LeaseMode): Promise<Lease> {
    return await this.#numbered((number) =>
      this.#client.call("leaseConvert", { params: { vmId: vm.id }, body: { mode, vm: vm.name, number } }),
    );
  }

  /** @throws what the connection throws */
  async release(vm: VmName): Promise<void> {
    await this.#numbered((number) =>
      this.#client.call("leaseRelease", { params: { vmId: vm.id }, body: { vm: vm.name, number } }),
    );
  }

  /** @throws what the connection throws */
  async show(vm: VmName): Promise<Lease> {
    return await this.#client.call("leaseShow", { params: { vmId: vm.id } });
  }

  /** What this host holds. @throws what the connection throws */
  async own(): Promise<{ vmId: VmId; mode: LeaseMode }[]> {
    const { leases } = await this.#client.call("leaseListOwn", {});
    return leases.flatMap(({ vmId, holders }) =>
      holders.filter(({ host }) => host === this.#host).map(({ mode }) => ({ vmId, mode })),
    );
  }

  /**
   * A question that was given up may still be under way, and must not count after this one: so each has a
   * number, by the clock, and larger than any before. A clock that was set back is made up for.
   */
  async #numbered(question: (number: number) => Promise<Lease>): Promise<Lease> {
    for (;;) {
      this.#number = Math.max(this.#number + 1, Date.now() * 1000);
      try {
        return await question(this.#number);
      } catch (error) {
        if (!GodwitError.is(error, "LEASE_OVERTAKEN")) throw error;
        this.#number = Math.max(this.#number, Number(error.problem.details.by));
      }
    }
  }
}
