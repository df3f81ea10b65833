/**
 * VM leases on shared storage, with sanlock: exclusive and shared, conversion, a version that grows with each
 * exclusive grant, and hosts that must keep renewing their own lease. The semantics are those of the lease reducer in
 * `@godwit/migration`; what sanlock does not report (whether a host that shared the lease released it or its
 * own lease ran out) is determined here and recorded beside the holder.
 */
import { GodwitError, type Lease, type LeaseMode, type VmId } from "@godwit/contract";
import type { UnitLimits } from "@godwit/system";
import type { Datastore } from "../datastore.ts";
import { Holders, type WrittenStorage } from "./holder.ts";
import { leaseOf, leaseOrNull, numberOf, createSuccessor, type LeasedVm } from "./lease-files.ts";
import { isCounted, holdersOf } from "./lease-view.ts";
import { clocksNow, Lockspace } from "./lockspace.ts";
import {
  alreadyDone,
  answerText,
  heldByAnotherHost,
  Sanlock,
  type Holding,
  type LeasePlace,
} from "./sanlock.ts";

export interface DiskLeasesOptions {
  host: string;
  /** Of the lease holders; emptied by a boot. */
  runFolder: string;
  ioTimeoutSeconds: number;
  sanlock?: Sanlock;
  /** @throws DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE */
  datastore: (name: string) => Promise<Datastore>;
}

/** One of this host's own leases. */
export interface OwnDiskLease {
  vm: LeasedVm;
  mode: LeaseMode;
  /** It was broken by an operator: another lease counts now, and this one gives no right to run. */
  isBroken: boolean;
  /** The process that held it is gone, and the VM's with it. */
  isOrphan: boolean;
}

/** More than any lease is ever granted: versions of a broken lease's successor are greater than all of its own. */
const versionsOfOne = 1_000_000_000;

export class DiskLeases {
  readonly #options: DiskLeasesOptions;
  readonly #sanlock: Sanlock;
  readonly #holders: Holders;
  readonly #lockspaces = new Map<string, Lockspace>();

  constructor(options: DiskLeasesOptions) {
    this.#options = options;
    this.#sanlock = options.sanlock ?? new Sanlock();
    this.#holders = new Holders(options.runFolder);
  }

  /** @throws LEASE_HELD, LEASE_UNAVAILABLE, DATASTORE_LEASES_UNAVAILABLE, SANLOCK_UNAVAILABLE, VM_UNKNOWN */
  async acquire(vm: LeasedVm, mode: LeaseMode): Promise<Lease> {
    const held = await this.#held(vm);
    if (held !== null) return await this.#converted(vm, held, held.mode === "EX" ? "EX" : mode);
    const datastore = await this.#options.datastore(vm.datastore);
    await (await this.lockspace(vm.datastore)).joined();
    const place = await leaseOf(datastore, vm, this.#sanlock);
    // sanlock would wait, for minutes, until it knows whether a silent holder is dead: it is asked when it can know.
    const { holders } = await this.show(vm);
    if (holders.some(({ fresh, freeInMs }) => !fresh && freeInMs !== 0))
      throw GodwitError.of("LEASE_HELD", { vm: vm.name, holders });
    const code = await this.#holders.start(vm, place, mode, this.#sanlock);
    if (code !== 0) throw await this.#refusal(vm, code);
    return await this.show(vm);
  }

  /** @throws LEASE_NOT_HELD, LEASE_HELD, LEASE_UNAVAILABLE, SANLOCK_UNAVAILABLE */
  async convert(vm: LeasedVm, mode: LeaseMode): Promise<Lease> {
    const held = await this.#held(vm);
    if (held === null) throw GodwitError.of("LEASE_NOT_HELD", { vm: vm.name, host: this.#options.host });
    return await this.#converted(vm, held, mode);
  }

  /** Gives it back, when nothing runs under it any more. @throws SANLOCK_UNAVAILABLE, LEASE_UNAVAILABLE */
  async release(vm: LeasedVm): Promise<void> {
    const held = await this.#held(vm);
    if (held === null) return;
    await this.#holders.stopProgram(vm.id);
    const code = await this.#sanlock.release(placeOf(held), held.pid);
    if (code !== 0 && (await this.#holding(vm.id)) !== null) throw this.#unavailable(vm, code);
    await this.#holders.end(vm.id);
  }

  /** As it stands on the storage. @throws DATASTORE_UNAVAILABLE, SANLOCK_UNAVAILABLE */
  async show(vm: LeasedVm): Promise<Lease> {
    const datastore = await this.#options.datastore(vm.datastore);
    const place = await leaseOrNull(datastore, vm);
    if (place === null) return { vmId: vm.id, version: 0, holders: [], fenced: [] };
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
    const version = (numberOf(place.path) - 1) * versionsOfOne + onDisk.version;
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
   * Breaks the lease of a host that does not renew and that the caller confirms to be off: from now on a successor counts.
   * @throws LEASE_HOLDER_ALIVE when a holder has renewed lately; LEASE_HELD when another host than this one may still
   * share it; DATASTORE_LEASES_UNAVAILABLE when this host cannot judge which hosts renew
   */
  async break(vm: LeasedVm, host: string): Promise<Lease> {
    const { holders } = await this.show(vm);
    const alive = holders.find(({ fresh }) => fresh);
    if (alive !== undefined) throw GodwitError.of("LEASE_HOLDER_ALIVE", { vm: vm.name, host: alive.host });
    const others = holders.filter((holder) => holder.host !== host && holder.freeInMs !== 0);
    if (others.length > 0) throw GodwitError.of("LEASE_HELD", { vm: vm.name, holders: others });
    (await this.lockspace(vm.datastore)).requireFresh();
    const datastore = await this.#options.datastore(vm.datastore);
    const place = await leaseOrNull(datastore, vm);
    if (place !== null && holders.length > 0) await createSuccessor(datastore, vm, place, this.#sanlock);
    return await this.show(vm);
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
    const datastore = await this.#options.datastore(name);
    const { host, ioTimeoutSeconds } = this.#options;
    const lockspace =
      this.#lockspaces.get(name) ?? new Lockspace(datastore, this.#sanlock, host, ioTimeoutSeconds);
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

  async #isBroken(vm: LeasedVm, { path }: Holding): Promise<boolean> {
    try {
      const place = await leaseOrNull(await this.#options.datastore(vm.datastore), vm);
      return place !== null && numberOf(place.path) > numberOf(path);
    } catch (error) {
      if (GodwitError.is(error)) return false; // its storage cannot be seen now
      throw error;
    }
  }

  async #converted(vm: LeasedVm, held: Holding, mode: LeaseMode): Promise<Lease> {
    if (await this.#isBroken(vm, held))
      throw GodwitError.of("LEASE_NOT_HELD", { vm: vm.name, host: this.#options.host });
    let countedBefore: ReadonlySet<number> | null = null;
    if (held.mode !== mode) {
      if (mode === "EX") countedBefore = await this.#recordSharers(vm, held);
      const code = await this.#sanlock.convert(placeOf(held), mode, held.pid);
      if (code !== 0 && code !== alreadyDone) throw await this.#refusal(vm, code);
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

  async #refusal(vm: LeasedVm, code: number): Promise<GodwitError> {
    if (!heldByAnotherHost.has(code)) return this.#unavailable(vm, code);
    const holders = (await this.show(vm)).holders.filter(({ host }) => host !== this.#options.host);
    return holders.length === 0
      ? this.#unavailable(vm, code)
      : GodwitError.of("LEASE_HELD", { vm: vm.name, holders });
  }

  #unavailable(vm: LeasedVm, code: number): GodwitError {
    const reason = `sanlock on host ${this.#options.host} answered ${answerText(code)}`;
    return GodwitError.of("LEASE_UNAVAILABLE", { vm: vm.name, reason });
  }
}

const placeOf = ({ lockspace, resource, path }: Holding): LeasePlace => ({ lockspace, resource, path });
