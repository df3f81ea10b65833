/**
 * This host's leases, asked of the lease service (the server's database) over mutual TLS. One question
 * at a time for each VM, so that answers cannot overtake each other.
 */
import { GodwitError, type Lease, type LeaseMode, type serverOperations, type VmId } from "@godwit/contract";
import type { Client } from "@godwit/client";

const releaseRetryMs = 1000;

/** One of this host's own leases. */
export interface OwnLease {
  vmId: VmId;
  mode: LeaseMode;
}

/** What happened to a question for a lease. */
export type LeaseAnswer =
  { kind: "granted"; lease: Lease } | { kind: "refused"; held: boolean; error: GodwitError };

export interface VmRef {
  id: VmId;
  name: string;
}

export class Leases {
  readonly #client: Client<typeof serverOperations>;
  readonly #host: string;
  readonly #queues = new Map<VmId, Promise<unknown>>();
  #number = 0;

  /** @param host this host's name */
  constructor(client: Client<typeof serverOperations>, host: string) {
    this.#client = client;
    this.#host = host;
  }

  async acquire(vm: VmRef, mode: LeaseMode): Promise<LeaseAnswer> {
    return await this.#ask(vm, (number) =>
      this.#client.call("leaseAcquire", { params: { vmId: vm.id }, body: { mode, vm: vm.name, number } }),
    );
  }

  async convert(vm: VmRef, mode: LeaseMode): Promise<LeaseAnswer> {
    return await this.#ask(vm, (number) =>
      this.#client.call("leaseConvert", { params: { vmId: vm.id }, body: { mode, vm: vm.name, number } }),
    );
  }

  async release(vm: VmRef): Promise<LeaseAnswer> {
    return await this.#ask(vm, (number) =>
      this.#client.call("leaseRelease", { params: { vmId: vm.id }, body: { vm: vm.name, number } }),
    );
  }

  /** Gives a lease back, however often it must be asked for: who waits for it has no other way to learn. */
  async releaseForSure(vm: VmRef): Promise<void> {
    while ((await this.release(vm)).kind !== "granted") {
      await new Promise((resolve) => setTimeout(resolve, releaseRetryMs));
    }
  }

  /** Who holds a VM's lease. @throws what the connection throws */
  async show(vm: VmRef): Promise<Lease> {
    return await this.#client.call("leaseShow", { params: { vmId: vm.id } });
  }

  /** What this host holds. @throws what the connection throws */
  async own(): Promise<OwnLease[]> {
    const { leases } = await this.#client.call("leaseListOwn", {});
    return leases.flatMap(({ vmId, holders }) =>
      holders.filter(({ host }) => host === this.#host).map(({ mode }) => ({ vmId, mode })),
    );
  }

  /**
   * Gives an exclusive lease back. A shared one is a past move's: another host's copy may still wait for
   * it, so upkeep makes it exclusive first. Upkeep also repeats what fails here.
   */
  async releaseUnlessShared(vm: VmRef): Promise<void> {
    const own = await this.own().catch(() => []);
    if (own.some(({ vmId, mode }) => vmId === vm.id && mode === "EX")) await this.release(vm);
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

  async #ask(vm: VmRef, question: (number: number) => Promise<Lease>): Promise<LeaseAnswer> {
    const before = this.#queues.get(vm.id) ?? Promise.resolve();
    const answer = before.then(async (): Promise<LeaseAnswer> => {
      try {
        return { kind: "granted", lease: await this.#numbered(question) };
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
