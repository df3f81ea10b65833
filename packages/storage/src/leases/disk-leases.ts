/**
 * VM leases on shared storage, with sanlock: exclusive and shared, conversion, a version that grows with each
 * exclusive grant, and hosts that must keep renewing their own lease. The semantics are those of the lease reducer in
 * `@godwit/migration`; what sanlock does not report (whether a host that shared the lease released it or its
 * own lease ran out) is determined here and recorded beside the holder.
 */
import { GodwitError, type Lease, type LeaseMode, type VmId } from "@godwit/contract";
import { sleep, type UnitLimits } from "@godwit/system";
import type { Datastore } from "../datastore.ts";
import { Holders, type WrittenStorage } from "./holder.ts";
import {
  createSuccessor,
  leaseOf,
  leaseOrNull,
  lockspaceStorage,
  numberOf,
  type LeasedVm,
  type LockspaceStorage,
} from "./lease-files.ts";
import { isCounted, holdersOf } from "./lease-view.ts";
import { clocksNow, Lockspace } from "./lockspace.ts";
import { isRevoked, looksRevoked, revokeLease } from "./revoked-lease.ts";
import type { LeasePlace } from "./sanlock-resource.ts";
import {
  alreadyDone,
  answerText,
  heldByAnotherHost,
  Sanlock,
  type Holding,
  type SanlockCode,
} from "./sanlock.ts";

export interface DiskLeasesOptions {
  host: string;
  /** Of the lease holders; emptied by a boot. */
  runFolder: string;
  ioTimeoutSeconds: number;
  sanlock?: Sanlock;
  /** @throws DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE */
  datastore: (name: string) => Promise<Datastore>;
  /** Those without files that have a lockspace; null: it has files. @throws DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE */
  lockspaceWithoutFiles?: (name: string) => Promise<LockspaceStorage | null>;
}

/** One of this host's own leases. */
export interface OwnDiskLease {
  vm: LeasedVm;
  mode: LeaseMode;
  /** It was broken or revoked: another lease counts now, or will, and this one gives no right to run. */
  isBroken: boolean;
  /** The process that held it is gone, and the VM's with it. */
  isOrphan: boolean;
}

/** More than any lease is ever granted: versions of a broken lease's successor are greater than all of its own. */
const versionsOfOne = 1_000_000_000;
/** For a lease that nobody else holds any more. */
const againMs = 200;
const againForMs = 2000;

export class DiskLeases {
  readonly #options: DiskLeasesOptions;
  readonly #sanlock: Sanlock;
  readonly #holders: Holders;
  readonly #lockspaces = new Map<string, Lockspace>();
  /** The end of each VM's last request. */
  readonly #turns = new Map<VmId, Promise<void>>();

  constructor(options: DiskLeasesOptions) {
    this.#options = options;
    this.#sanlock = options.sanlock ?? new Sanlock();
    this.#holders = new Holders(options.runFolder);
  }

  /** @throws LEASE_HELD, LEASE_UNAVAILABLE, DATASTORE_LEASES_UNAVAILABLE, SANLOCK_UNAVAILABLE, VM_UNKNOWN */
  async acquire(vm: LeasedVm, mode: LeaseMode): Promise<Lease> {
    return await this.#inTurn(vm.id, () => this.#acquire(vm, mode));
  }

  /** @throws LEASE_NOT_HELD, LEASE_HELD, LEASE_UNAVAILABLE, SANLOCK_UNAVAILABLE */
  async convert(vm: LeasedVm, mode: LeaseMode): Promise<Lease> {
    return await this.#inTurn(vm.id, () => this.#convert(vm, mode));
  }

  /** Gives it back, when nothing runs under it any more. @throws SANLOCK_UNAVAILABLE, LEASE_UNAVAILABLE */
  async release(vm: LeasedVm): Promise<void> {
    await this.#inTurn(vm.id, () => this.#release(vm));
  }

  async #acquire(vm: LeasedVm, mode: LeaseMode): Promise<Lease> {
    const held = await this.#held(vm);
    if (held !== null) {
      if (!(await this.#counts(vm))) throw this.#notHeld(vm);
      return await this.#converted(vm, held, held.mode === "EX" ? "EX" : mode);
    }
    const datastore = await this.#options.datastore(vm.datastore);
    await (await this.lockspace(vm.datastore)).joined();
    const place = await leaseOf(datastore, vm, this.#sanlock);
    // sanlock would wait, for minutes, until it knows whether a silent holder is dead: it is asked when it can know.
    const { holders } = await this.show(vm);
    if (holders.some(({ fresh, freeInMs }) => !fresh && freeInMs !== 0))
      throw GodwitError.of("LEASE_HELD", { vm: vm.name, holders });
    const counts = (await looksRevoked(place)) ? await this.#succeed(vm, datastore, place) : place;
    await this.#granted(vm, () => this.#holders.start(vm, counts, mode, this.#sanlock));
    // While this host was about to take it, it may have been broken for the host that had it, and its successor be taken.
    await this.#mustCountStill(vm).catch(async (error: unknown) => {
      // What is not given back now, the agent's reconciler of leases gives back.
      await this.#release(vm).catch(() => undefined);
      throw error;
    });
    return await this.show(vm);
  }

  /** @throws LEASE_UNAVAILABLE */
  async #mustCountStill(vm: LeasedVm): Promise<void> {
    if (await this.#counts(vm)) return;
    const reason = `it was broken or revoked while host ${this.#options.host} took it`;
    throw GodwitError.of("LEASE_UNAVAILABLE", { vm: vm.name, reason });
  }

  /** Of a lease that was revoked: who gets it knows that nobody else has it, and may make its successor. Killed meanwhile, it is given back as a broken one. */
  async #succeed(vm: LeasedVm, datastore: Datastore, revoked: LeasePlace): Promise<LeasePlace> {
    await this.#granted(vm, () => this.#holders.start(vm, revoked, "EX", this.#sanlock));
    const successor = await createSuccessor(datastore, vm, revoked, this.#sanlock);
    await this.#release(vm);
    return successor;
  }

  async #convert(vm: LeasedVm, mode: LeaseMode): Promise<Lease> {
    const held = await this.#held(vm);
    if (held === null) throw this.#notHeld(vm);
    return await this.#converted(vm, held, mode);
  }

  async #release(vm: LeasedVm): Promise<void> {
    const held = await this.#held(vm);
    if (held === null) return;
    await this.#holders.stopProgram(vm.id);
    const code = await this.#sanlock.release(placeOf(held), held.pid);
    if (code !== 0 && (await this.#holding(vm.id)) !== null) throw this.#unavailable(vm, code);
    await this.#holders.end(vm.id);
  }

  /** As it stands on the storage. @throws DATASTORE_UNAVAILABLE, SANLOCK_UNAVAILABLE */
  async show(vm: LeasedVm): Promise<Lease> {
    const place = await leaseOrNull(await this.#options.datastore(vm.datastore), vm);
    return place === null
      ? { vmId: vm.id, version: 0, holders: [], fenced: [] }
      : await this.#showAt(vm, place);
  }

  async #showAt(vm: LeasedVm, place: LeasePlace): Promise<Lease> {
    const lockspace = await this.lockspace(vm.datastore);
    const [onDisk, hosts, note] = await Promise.all([
      this.#sanlock.readResource(place),
      lockspace.refreshHosts(),
      this.#holders.note(vm.id),
    ]);
    const owners = [...(onDisk.exclusive === null ? [] : [onDisk.exclusive]), ...onDisk.shared];
    const isUnknown = owners.some(({ id }) => !hosts.some((host) => host.id === id));
    // The name is for people; without it the id is told.
    const names = isUnknown ? await lockspace.namesOnStorage().catch(() => undefined) : undefined;
    const holders = holdersOf(onDisk, hosts, clocksNow(), names);
    // Whoever is given it next has its successor.
    const isSucceeded = holders.length === 0 && (await looksRevoked(place));
    const number = numberOf(place.path);
    const version = isSucceeded ? number * versionsOfOne : (number - 1) * versionsOfOne + onDisk.version;
    return { vmId: vm.id, version, holders, fenced: [...(note?.fenced ?? [])] };
  }

  /** What this host holds, whoever started it. @throws SANLOCK_UNAVAILABLE */
  async own(): Promise<OwnDiskLease[]> {
    const { holdings } = await this.#sanlock.status();
    const found = await Promise.all(
      holdings.map(async (holding): Promise<OwnDiskLease | null> => {
        const note = await this.#holders.note(holding.resource).catch(() => null);
        if (note === null) return null; // not of this program
        const isBroken = await this.#isBroken(note.vm, holding);
        return { vm: note.vm, mode: holding.mode, isBroken, isOrphan: holding.state === "orphan" };
      }),
    );
    return found.filter((lease) => lease !== null);
  }

  /** Whether this host has a VM's lease by a live holder, as sanlock itself reports. @throws SANLOCK_UNAVAILABLE */
  async isHeld(vmId: VmId): Promise<boolean> {
    const holding = await this.#holding(vmId);
    return holding !== null && holding.state !== "orphan";
  }

  /**
   * That this host holds a VM's lease at this moment, and it was not broken nor revoked. Whoever has asked that once the VM's volumes are active
   * may open them: who revokes it later looks for this host's keys after that.
   * @throws LEASE_NOT_HELD, LEASE_UNAVAILABLE, DATASTORE_LEASES_UNAVAILABLE, SANLOCK_UNAVAILABLE, DATASTORE_UNAVAILABLE
   */
  async mustCount(vm: LeasedVm): Promise<void> {
    if (!(await this.#counts(vm))) throw this.#notHeld(vm);
    const lockspace = await this.lockspace(vm.datastore);
    await lockspace.refreshHosts();
    lockspace.requireFresh();
  }

  /** Whether what this host holds is the lease that counts, as the storage has it. */
  async #counts(vm: LeasedVm): Promise<boolean> {
    const held = await this.#holding(vm.id);
    const newest = await leaseOrNull(await this.#options.datastore(vm.datastore), vm);
    const isNewest =
      held?.state === "held" && newest !== null && numberOf(newest.path) === numberOf(held.path);
    return isNewest && !(await this.#isRevoked(vm, newest));
  }

  async #isRevoked({ name: vm }: LeasedVm, place: LeasePlace): Promise<boolean> {
    return await isRevoked(place).catch((error: unknown) => {
      const reason = `whether it was revoked could not be read: ${(error as Error).message}`;
      throw GodwitError.of("LEASE_UNAVAILABLE", { vm, reason }, { cause: error });
    });
  }

  /**
   * The lease of a VM that one host alone holds, which does not renew.
   * @throws LEASE_HOLDER_ALIVE, LEASE_HELD; DATASTORE_LEASES_UNAVAILABLE when this host cannot judge which hosts renew
   */
  async silentLease(vm: LeasedVm, host: string): Promise<LeasePlace> {
    const place = await leaseOrNull(await this.#options.datastore(vm.datastore), vm);
    if (place === null) throw GodwitError.of("LEASE_HELD", { vm: vm.name, holders: [] });
    const { holders } = await this.#showAt(vm, place);
    mustNotRenew(vm, holders);
    if (holders.length !== 1 || holders[0]?.host !== host)
      throw GodwitError.of("LEASE_HELD", { vm: vm.name, holders });
    (await this.lockspace(vm.datastore)).requireFresh();
    return place;
  }

  /** From now on a lease gives nobody the right to start its VM. @param of the host that is to be fenced */
  async revoke(place: LeasePlace, of: string): Promise<void> {
    await revokeLease(place, `host ${this.#options.host} fences host ${of}`);
  }

  /**
   * Breaks the lease of a host that does not renew and that the caller confirms to be off, or has fenced: from now on a successor counts.
   * @param revoked the lease that the host was fenced for; without it, the one that counts
   * @throws LEASE_HOLDER_ALIVE when a holder has renewed lately; LEASE_HELD when another host than this one may still
   * share it, or another lease counts by now; DATASTORE_LEASES_UNAVAILABLE when this host cannot judge which hosts renew
   */
  async break(vm: LeasedVm, host: string, revoked: LeasePlace | null = null): Promise<Lease> {
    const datastore = await this.#options.datastore(vm.datastore);
    const place = await leaseOrNull(datastore, vm);
    if (place === null) return await this.show(vm);
    const { holders } = await this.#showAt(vm, place);
    mustNotRenew(vm, holders);
    const isOther = revoked !== null && revoked.path !== place.path;
    const others = holders.filter((holder) => isOther || (holder.host !== host && holder.freeInMs !== 0));
    if (others.length > 0) throw GodwitError.of("LEASE_HELD", { vm: vm.name, holders: others });
    (await this.lockspace(vm.datastore)).requireFresh();
    // Of the lease that was looked at: where somebody else has made its successor meanwhile, nothing is made.
    if (!isOther && (holders.length > 0 || revoked !== null)) {
      // Whoever is about to take it when it is free may not see its successor at once.
      if (revoked === null) await this.#markBroken(vm, place, host);
      await createSuccessor(datastore, vm, place, this.#sanlock);
    }
    return await this.show(vm);
  }

  async #markBroken({ name: vm }: LeasedVm, place: LeasePlace, of: string): Promise<void> {
    const because = `host ${this.#options.host} breaks it for host ${of}`;
    await revokeLease(place, because).catch((error: unknown) => {
      const reason = `it could not be marked as broken: ${(error as Error).message}`;
      throw GodwitError.of("LEASE_UNAVAILABLE", { vm, reason }, { cause: error });
    });
  }

  /** Whether a VM has a lease on its storage: then no other kind of lease counts for it. */
  async exists(vm: LeasedVm): Promise<boolean> {
    return (await leaseOrNull(await this.#options.datastore(vm.datastore), vm)) !== null;
  }

  /** How a VM's QEMU is started so that it cannot outlive its lease. */
  launcher(
    vmId: VmId,
  ): (
    argv: readonly string[],
    log: string,
    limits: UnitLimits,
    storage: WrittenStorage,
  ) => Promise<() => Promise<boolean>> {
    return async (argv, log, limits, storage) => await this.#holders.launch(vmId, argv, log, limits, storage);
  }

  /** A VM's QEMU, which runs under its lease here, writes to other storage from now on. @throws SANLOCK_UNAVAILABLE */
  async writesTo(vmId: VmId, storage: WrittenStorage): Promise<void> {
    await this.#holders.writesTo(vmId, storage);
  }

  /** @throws DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE */
  async lockspace(name: string): Promise<Lockspace> {
    const known = this.#lockspaces.get(name);
    if (known !== undefined) return known;
    const { host, ioTimeoutSeconds, lockspaceWithoutFiles, datastore } = this.#options;
    const storage = (await lockspaceWithoutFiles?.(name)) ?? lockspaceStorage(await datastore(name));
    const lockspace =
      this.#lockspaces.get(name) ?? new Lockspace(storage, this.#sanlock, host, ioTimeoutSeconds);
    this.#lockspaces.set(name, lockspace);
    return lockspace;
  }

  /**
   * Gives this host's own lease on a datastore back.
   * @returns whether it has none any more; it keeps it while a lease of a VM is held there
   * @throws SANLOCK_UNAVAILABLE, DATASTORE_LEASES_UNAVAILABLE
   */
  async leave(name: string): Promise<boolean> {
    const lockspace = this.#lockspaces.get(name);
    if (lockspace === undefined) return true;
    const { holdings } = await this.#sanlock.status();
    if (holdings.some((holding) => holding.lockspace === lockspace.name)) return false;
    await lockspace.leave();
    this.#lockspaces.delete(name);
    return true;
  }

  async usesWatchdog(): Promise<boolean> {
    return (await this.#sanlock.daemon()).usesWatchdog;
  }

  /** Removes what ended holders left; for an agent that starts. */
  async clear(): Promise<void> {
    const { holdings } = await this.#sanlock.status();
    await this.#holders.clear(new Set(holdings.map(({ resource }) => resource)));
  }

  async #holding(vmId: VmId): Promise<Holding | null> {
    const { holdings } = await this.#sanlock.status();
    return holdings.find(({ resource }) => resource === vmId) ?? null;
  }

  /** What this host holds of a VM's lease; what a holder that is gone has left is taken over. @throws LEASE_UNAVAILABLE */
  async #held(vm: LeasedVm): Promise<Holding | null> {
    const found = await this.#holding(vm.id);
    if (found === null || found.state === "held") return found;
    if (found.state === "orphan") {
      const code = await this.#holders.start(vm, placeOf(found), found.mode, this.#sanlock, true);
      if (code !== 0) throw this.#unavailable(vm, code);
      const held = await this.#holding(vm.id);
      if (held?.state === "held") return held;
    }
    const reason = `sanlock on host ${this.#options.host} is still taking it or giving it back`;
    throw GodwitError.of("LEASE_UNAVAILABLE", { vm: vm.name, reason });
  }

  async #isBroken(vm: LeasedVm, held: Holding): Promise<boolean> {
    try {
      const place = await leaseOrNull(await this.#options.datastore(vm.datastore), vm);
      if (place === null) return false;
      const [counts, own] = [numberOf(place.path), numberOf(held.path)];
      // A mark that cannot be read is no fact, and concerns this VM alone.
      return counts > own || (counts === own && (await looksRevoked(place).catch(() => false)));
    } catch (error) {
      if (GodwitError.is(error)) return false; // its storage cannot be seen now
      throw error;
    }
  }

  async #converted(vm: LeasedVm, held: Holding, mode: LeaseMode): Promise<Lease> {
    if (await this.#isBroken(vm, held)) throw this.#notHeld(vm);
    let countedBefore: ReadonlySet<number> | null = null;
    if (held.mode !== mode) {
      if (mode === "EX") countedBefore = await this.#recordSharers(vm, held);
      await this.#granted(vm, async () => {
        const code = await this.#sanlock.convert(placeOf(held), mode, held.pid);
        return code === alreadyDone ? 0 : code;
      });
      if (mode === "SH") await this.#holders.saveNote({ version: 1, vm, sharers: [], fenced: [] });
    }
    if (mode === "EX") await this.#recordFenced(vm, countedBefore);
    return await this.show(vm);
  }

  /**
   * Records who else shares it before it is requested exclusively: afterwards the storage does not show it.
   * @returns the ids of all hosts that sanlock counts at the moment
   */
  async #recordSharers(vm: LeasedVm, held: Holding): Promise<ReadonlySet<number>> {
    const lockspace = await this.lockspace(vm.datastore);
    const [{ shared }, hosts, before] = await Promise.all([
      this.#sanlock.readResource(placeOf(held)),
      lockspace.refreshHosts(),
      this.#holders.note(vm.id),
    ]);
    const sharers = shared
      .map((owner) => ({
        ...owner,
        name: hosts.find(({ id }) => id === owner.id)?.name ?? `host-id-${String(owner.id)}`,
      }))
      .filter(({ name }) => name !== this.#options.host);
    // Whoever else asks meanwhile makes sanlock forget a dead sharer: one that was seen stays noted until it is decided.
    const seen = before?.fenced === null ? before.sharers : [];
    const isNoted = (one: { id: number; generation: number }) =>
      seen.some(({ id, generation }) => id === one.id && generation === one.generation);
    const all = [...seen, ...sharers.filter((sharer) => !isNoted(sharer))];
    await this.#holders.saveNote({ version: 1, vm, sharers: all, fenced: null });
    return new Set(hosts.filter((host) => isCounted(host, clocksNow())).map(({ id }) => id));
  }

  /**
   * Of those who shared it: whose host was counted before and after, and is the same, has given it back; all others may
   * have been found dead. A host that is only slow to renew is counted for long.
   * @param countedBefore null when an earlier agent had asked
   */
  async #recordFenced(vm: LeasedVm, countedBefore: ReadonlySet<number> | null): Promise<void> {
    const note = await this.#holders.note(vm.id);
    if (note === null || note.fenced !== null) return;
    const hosts = await (await this.lockspace(vm.datastore)).refreshHosts();
    const gaveBack = ({ id, generation }: { id: number; generation: number }) =>
      (countedBefore?.has(id) ?? true) &&
      hosts.some((host) => host.id === id && host.generation === generation && isCounted(host, clocksNow()));
    const fenced = note.sharers.filter((sharer) => !gaveBack(sharer)).map(({ name }) => name);
    await this.#holders.saveNote({ ...note, fenced });
  }

  /**
   * A host that gives its share back at this moment makes sanlock refuse, and is not seen as a holder afterwards: then sanlock is asked again.
   * @throws LEASE_HELD, LEASE_UNAVAILABLE
   */
  async #granted(vm: LeasedVm, ask: () => Promise<SanlockCode>): Promise<void> {
    const from = performance.now();
    for (;;) {
      const code = await ask();
      if (code === 0) return;
      if (!heldByAnotherHost.has(code)) throw this.#unavailable(vm, code);
      const holders = (await this.show(vm)).holders.filter(({ host }) => host !== this.#options.host);
      if (holders.length > 0) throw GodwitError.of("LEASE_HELD", { vm: vm.name, holders });
      if (performance.now() - from > againForMs) throw this.#unavailable(vm, code);
      await sleep(againMs);
    }
  }

  /** Requests for one lease, one after the other, whoever asks: of two at once sanlock refuses one, and what is noted of sharers is of one. */
  async #inTurn<T>(vmId: VmId, request: () => Promise<T>): Promise<T> {
    const answered = (this.#turns.get(vmId) ?? Promise.resolve()).then(request);
    const over = answered.then(
      () => undefined,
      () => undefined,
    );
    this.#turns.set(vmId, over);
    try {
      return await answered;
    } finally {
      if (this.#turns.get(vmId) === over) this.#turns.delete(vmId);
    }
  }

  #notHeld(vm: LeasedVm): GodwitError {
    return GodwitError.of("LEASE_NOT_HELD", { vm: vm.name, host: this.#options.host });
  }

  #unavailable(vm: LeasedVm, code: number): GodwitError {
    const reason = `sanlock on host ${this.#options.host} answered ${answerText(code)}`;
    return GodwitError.of("LEASE_UNAVAILABLE", { vm: vm.name, reason });
  }
}

/** @throws LEASE_HOLDER_ALIVE */
function mustNotRenew(vm: LeasedVm, holders: Lease["holders"]): void {
  const alive = holders.find(({ fresh }) => fresh);
  if (alive !== undefined) throw GodwitError.of("LEASE_HOLDER_ALIVE", { vm: vm.name, host: alive.host });
}

const placeOf = ({ lockspace, resource, path }: Holding): LeasePlace => ({ lockspace, resource, path });
