/**
 * This host's leases of VMs: on the shared storage itself (sanlock), or for VMs on host-local datastores as
 * rows in the server's database. One question at a time for each VM, so that answers cannot overtake each
 * other; one that takes too long is answered as refused, and still comes to its end before the next. Who asks
 * the same again meanwhile gets the same answer: questions that come faster than answers must not pile up.
 */
import { GodwitError, type Lease, type LeaseMode, type VmId } from "@godwit/contract";
import type { Launch, WrittenStorage } from "@godwit/hypervisor";
import type { DiskLeases, LeasedVm } from "@godwit/storage";
import { reasonOf } from "../reason.ts";
import type { RowLeases } from "./row-leases.ts";
import { sleep, within } from "@godwit/system";

const releaseRetryMs = 1000;
/** Of a question; an acquisition may have to wait until the host has joined its storage's leases. */
const answerLimitMs = { convert: 8000, release: 8000, acquire: 28_000 } as const;

/**
 * One of this host's own leases. `isBroken`: it was broken or revoked; `isOrphan`: its holder is gone. Neither
 * gives a process the right to run.
 */
export interface OwnLease {
  vm: VmRef;
  mode: LeaseMode;
  isBroken: boolean;
  isOrphan: boolean;
}

/** `held`: another host holds the lease; else it could not be asked for. */
interface Refusal {
  kind: "refused";
  held: boolean;
  error: GodwitError;
}
/** What happened to a question. */
type Answer<T> = { kind: "granted"; lease: T } | Refusal;
export type LeaseAnswer = Answer<Lease>;

/** A VM by what its lease needs to be found. */
export type VmRef = LeasedVm;

export class Leases {
  readonly #rows: RowLeases;
  readonly #disks: DiskLeases;
  readonly #isShared: (datastore: string) => boolean | null;
  /** Of each VM, the question that was asked last, while it is under way. */
  readonly #last = new Map<VmId, { question: string; answer: Promise<unknown>; settled: Promise<unknown> }>();

  /** @param isShared whether a datastore of this host is shared storage; null: this host does not know the datastore now */
  constructor(rows: RowLeases, disks: DiskLeases, isShared: (datastore: string) => boolean | null) {
    this.#rows = rows;
    this.#disks = disks;
    this.#isShared = isShared;
  }

  async acquire(vm: VmRef, mode: LeaseMode): Promise<LeaseAnswer> {
    return await this.#ask(vm, "acquire", mode, async () => {
      const kind = this.#of(vm);
      if (kind === this.#rows) await this.#rejectRow(vm);
      return await kind.acquire(vm, mode);
    });
  }

  async convert(vm: VmRef, mode: LeaseMode): Promise<LeaseAnswer> {
    return await this.#ask(vm, "convert", mode, () => this.#of(vm).convert(vm, mode));
  }

  async release(vm: VmRef): Promise<Answer<undefined>> {
    return await this.#ask(vm, "release", "", async () => {
      await this.#of(vm).release(vm);
      return undefined;
    });
  }

  /** Gives back what may be left of a share that was taken away (of a broken one there may be), and asks again for the lease. */
  async reacquire(vm: VmRef): Promise<LeaseAnswer> {
    await this.release(vm);
    return await this.acquire(vm, "EX");
  }

  /** Gives a lease back, however often it must be asked for: who waits for it has no other way to learn. */
  async releaseForSure(vm: VmRef): Promise<void> {
    while ((await this.release(vm)).kind !== "granted") {
      await sleep(releaseRetryMs);
    }
  }

  /** Who holds a VM's lease. @throws what the storage or the connection throws */
  async show(vm: VmRef): Promise<Lease> {
    return await this.#of(vm).show(vm);
  }

  /** What this host holds on its shared storage. @throws SANLOCK_UNAVAILABLE */
  async ownOnDisk(): Promise<OwnLease[]> {
    return await this.#disks.own();
  }

  /** Whether this host has a VM's lease on its storage, whatever is noted of it. @throws SANLOCK_UNAVAILABLE */
  async isHeldOnDisk(vm: VmRef): Promise<boolean> {
    return await this.#disks.isHeld(vm.id);
  }

  /**
   * That this host still has the lease of a VM whose volumes it has activated: only then they may be opened. Where leases are not on the
   * storage itself nobody is fenced.
   * @throws LEASE_NOT_HELD, LEASE_UNAVAILABLE, DATASTORE_LEASES_UNAVAILABLE, SANLOCK_UNAVAILABLE, DATASTORE_UNAVAILABLE
   */
  async mustCount(vm: VmRef): Promise<void> {
    if (this.placeOf(vm) !== "row") await this.#disks.mustCount(vm);
  }

  /** What this host holds in the server's database. @throws what the connection throws */
  async ownInRows(): Promise<OwnLease[]> {
    const own = await this.#rows.own();
    return own.map(({ vmId, mode }) => ({
      vm: { id: vmId, name: vmId.slice(0, 8), datastore: "" },
      mode,
      isBroken: false,
      isOrphan: false,
    }));
  }

  /**
   * Gives an exclusive lease back. A shared one is a past move's: another host's copy may still wait for
   * it, so the reconciler makes it exclusive first. It also repeats what fails here.
   * @returns why this host still holds the lease, or may; the end of a sentence. Null: it does not
   */
  async releaseUnlessShared(vm: VmRef): Promise<string | null> {
    let own: readonly OwnLease[];
    if (this.placeOf(vm) === "unknown") return `this host does not know datastore ${vm.datastore} now`;
    try {
      own = await (this.isOnDisk(vm) ? this.ownOnDisk() : this.ownInRows());
    } catch (error) {
      return `what this host holds could not be read: ${reasonOf(error)}`;
    }
    const lease = own.find((one) => one.vm.id === vm.id);
    if (lease === undefined) return null;
    if (lease.mode === "SH") return "it is shared with the other host of a past move";
    const answer = await this.release(vm);
    return answer.kind === "granted" ? null : reasonOf(answer.error);
  }

  /** `unknown`: the list of datastores was lost, or does not have it; then nothing is given, taken or ended. */
  placeOf({ datastore }: VmRef): "disk" | "row" | "unknown" {
    // Of a row that no process here belongs to.
    if (datastore === "") return "row";
    const isShared = this.#isShared(datastore);
    if (isShared === null) return "unknown";
    return isShared ? "disk" : "row";
  }

  isOnDisk(vm: VmRef): boolean {
    return this.placeOf(vm) === "disk";
  }

  /** How the VM's QEMU is to be started; null: as any other program. */
  launcher(vm: VmRef): Launch | null {
    return this.isOnDisk(vm) ? this.#disks.launcher(vm.id) : null;
  }

  /** Its QEMU, which runs here, writes to other storage from now on. @throws SANLOCK_UNAVAILABLE */
  async writesTo(vm: VmRef, storage: WrittenStorage): Promise<void> {
    if (this.isOnDisk(vm)) await this.#disks.writesTo(vm.id, storage);
  }

  /** A VM with a lease on its storage has no other: a host that takes the storage for its own must not start it. */
  async #rejectRow(vm: VmRef): Promise<void> {
    if (vm.datastore === "" || !(await this.#disks.exists(vm))) return;
    const reason = `datastore ${vm.datastore} holds leases, so it is shared storage, but this host's configuration says shared: false`;
    throw GodwitError.of("LEASE_UNAVAILABLE", { vm: vm.name, reason });
  }

  /** @throws LEASE_UNAVAILABLE while this host does not know the VM's datastore */
  #of(vm: VmRef): DiskLeases | RowLeases {
    switch (this.placeOf(vm)) {
      case "disk":
        return this.#disks;
      case "row":
        return this.#rows;
      case "unknown": {
        const reason = `this host does not know datastore ${vm.datastore} now`;
        throw GodwitError.of("LEASE_UNAVAILABLE", { vm: vm.name, reason });
      }
    }
  }

  async #ask<T>(
    vm: VmRef,
    kind: keyof typeof answerLimitMs,
    mode: LeaseMode | "",
    request: () => Promise<T>,
  ): Promise<Answer<T>> {
    const question = `${kind} ${mode}`;
    const last = this.#last.get(vm.id);
    const answer =
      last?.question === question
        ? (last.answer as Promise<Answer<T>>)
        : this.#next(vm, question, last?.settled ?? Promise.resolve(), request);
    return (await within(answer, answerLimitMs[kind])) ?? unavailable(vm, "no answer came in time");
  }

  #next<T>(
    vm: VmRef,
    question: string,
    before: Promise<unknown>,
    request: () => Promise<T>,
  ): Promise<Answer<T>> {
    const answer = before.then(async (): Promise<Answer<T>> => {
      try {
        return { kind: "granted", lease: await request() };
      } catch (error) {
        return refusal(vm, error);
      }
    });
    const settled = answer.catch(() => undefined);
    this.#last.set(vm.id, { question, answer, settled });
    void settled.then(() => {
      if (this.#last.get(vm.id)?.settled === settled) this.#last.delete(vm.id);
    });
    return answer;
  }
}

function refusal(vm: VmRef, error: unknown): Refusal {
  if (!GodwitError.is(error)) throw error;
  if (error.code === "LEASE_HELD" || error.code === "LEASE_NOT_HELD") {
    return { kind: "refused", held: true, error };
  }
  // A sentence of its own, as the end of another one.
  return unavailable(vm, error.message.replace(/\.$/, ""), error);
}

function unavailable(vm: VmRef, reason: string, cause?: unknown): Refusal {
  const error = GodwitError.of("LEASE_UNAVAILABLE", { vm: vm.name, reason }, { cause });
  return { kind: "refused", held: false, error };
}
