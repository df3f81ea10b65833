/**
 * VM leases on shared storage, with sanlock: exclusive and shared, conversion, a version that grows with each
 * exclusive grant, and hosts that must stay fresh. The semantics are those of the lease reducer in
 * `@godwit/migration`; what sanlock does not tell (whether a host that shared the lease gave it back or was
 * only found dead) is worked out here and kept beside the holder.
 */
import { GodwitError, type Lease, type LeaseMode, type VmId } from "@godwit/contract";
import type { Datastore } from "../datastore.ts";
import { Holders } from "./holder.ts";
import { leaseOf, leaseOrNull, numberOf, succeed, type LeasedVm } from "./lease-files.ts";
import { holdersOf, isFresh } from "./lease-view.ts";
import { clocksNow, Lockspace } from "./lockspace.ts";
import { alreadySo, heldElsewhere, Sanlock, type Holding, type LeasePlace } from "./sanlock.ts";

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

  /** @throws LEASE_HELD, DATASTORE_LEASES_UNAVAILABLE, SANLOCK_UNAVAILABLE, VM_UNKNOWN */
  async acquire(vm: LeasedVm, mode: LeaseMode): Promise<Lease> {
    const held = await this.#held(vm.id);
    if (held !== null) return await this.#converted(vm, held, held.mode === "EX" ? "EX" : mode);
    const datastore = await this.#options.datastore(vm.datastore);
    const lockspace = await this.lockspace(vm.datastore);
    await lockspace.joined();
    const place = await leaseOf(datastore, vm, this.#sanlock);
    // sanlock would wait, for minutes, until it knows whether a silent holder is dead: it is asked when it can know.
    const { holders } = await this.show(vm);
    if (holders.some(({ fresh, freeInMs }) => (fresh ? false : freeInMs === null || freeInMs > 0)))
      throw GodwitError.of("LEASE_HELD", { vm: vm.name, holders });
    const code = await this.#holders.start(vm, place, mode, this.#sanlock);
    if (code !== 0) throw await this.#refusal(vm, code);
    return await this.show(vm);
  }

  /** @throws LEASE_NOT_HELD, LEASE_HELD, SANLOCK_UNAVAILABLE */
  async convert(vm: LeasedVm, mode: LeaseMode): Promise<Lease> {
    const held = await this.#held(vm.id);
    if (held === null) throw GodwitError.of("LEASE_NOT_HELD", { vm: vm.name, host: this.#options.host });
    return await this.#converted(vm, held, mode);
  }

  /** Gives it back; the VM's process must have ended. @throws SANLOCK_UNAVAILABLE, LEASE_UNAVAILABLE */
  async release(vm: LeasedVm): Promise<void> {
    const held = await this.#held(vm.id);
    if (held === null) return;
    const code = await this.#sanlock.release(placeOf(held), held.pid);
    await this.#holders.end(vm.id, held.pid);
    if (code === 0 || (await this.#held(vm.id)) === null) return;
    throw GodwitError.of("LEASE_UNAVAILABLE", { vm: vm.name, reason: `sanlock answered ${String(code)}` });
  }

  /** As it stands on the storage. @throws DATASTORE_UNAVAILABLE, SANLOCK_UNAVAILABLE */
  async show(vm: LeasedVm): Promise<Lease> {
    const datastore = await this.#options.datastore(vm.datastore);
    const place = await leaseOrNull(datastore, vm);
    if (place === null) return { vmId: vm.id, version: 0, holders: [], fenced: [] };
    const [onDisk, hosts, note] = await Promise.all([
      this.#sanlock.readResource(place),
      (await this.lockspace(vm.datastore)).look(),
      this.#holders.note(vm.id),
    ]);
    const holders = holdersOf(onDisk, hosts, clocksNow());
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
        return { vm: note.vm, mode: holding.mode, isBroken: await this.#isBroken(note.vm, holding) };
      }),
    );
    return found.filter((lease) => lease !== null);
  }

  /**
   * Breaks a lease whose holders are silent: a successor counts from now on. The caller vouches that their hosts are off.
   * @throws LEASE_HOLDER_ALIVE when a holder was heard of lately
   */
  async break(vm: LeasedVm): Promise<Lease> {
    const before = await this.show(vm);
    const alive = before.holders.find(({ fresh }) => fresh);
    if (alive !== undefined) throw GodwitError.of("LEASE_HOLDER_ALIVE", { vm: vm.name, host: alive.host });
    const datastore = await this.#options.datastore(vm.datastore);
    const place = await leaseOrNull(datastore, vm);
    if (place !== null && before.holders.length > 0) await succeed(datastore, vm, place, this.#sanlock);
    return await this.show(vm);
  }

  /** How a VM's QEMU is started so that it cannot outlive its lease. */
  launcher(vmId: VmId): (argv: readonly string[], log: string) => Promise<() => Promise<boolean>> {
    return async (argv, log) => await this.#holders.launch(vmId, argv, log);
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

  async usesWatchdog(): Promise<boolean> {
    return (await this.#sanlock.daemon()).usesWatchdog;
  }

  /** Removes what is left of holders that are gone; for an agent that starts. */
  async clear(): Promise<void> {
    const { holdings } = await this.#sanlock.status();
    await this.#holders.clear(new Set(holdings.map(({ resource }) => resource)));
  }

  async #held(vmId: VmId): Promise<Holding | null> {
    const { holdings } = await this.#sanlock.status();
    return holdings.find(({ resource }) => resource === vmId) ?? null;
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
    if (held.mode !== mode) {
      if (mode === "EX") await this.#noteSharers(vm, held);
      const code = await this.#sanlock.convert(placeOf(held), mode, held.pid);
      if (code !== 0 && code !== alreadySo) throw await this.#refusal(vm, code);
      if (mode === "SH") await this.#holders.keep({ version: 1, vm, sharers: [], fenced: [] });
    }
    if (mode === "EX") await this.#noteFenced(vm);
    return await this.show(vm);
  }

  /** Who else shares it, written down before it is asked for alone: afterwards the storage does not tell. */
  async #noteSharers(vm: LeasedVm, held: Holding): Promise<void> {
    const lockspace = await this.lockspace(vm.datastore);
    const [{ shared }, hosts] = await Promise.all([
      this.#sanlock.readResource(placeOf(held)),
      lockspace.look(),
    ]);
    const sharers = shared
      .map((owner) => ({
        ...owner,
        name: hosts.find(({ id }) => id === owner.id)?.name ?? `host-id-${String(owner.id)}`,
      }))
      .filter(({ name }) => name !== this.#options.host);
    await this.#holders.keep({ version: 1, vm, sharers, fenced: null });
  }

  /** Of those who shared it: whose host lives on as it was has given it back, all others were found dead. */
  async #noteFenced(vm: LeasedVm): Promise<void> {
    const note = await this.#holders.note(vm.id);
    if (note === null || note.fenced !== null) return;
    const hosts = await (await this.lockspace(vm.datastore)).look();
    const gaveBack = ({ id, generation }: { id: number; generation: number }) =>
      hosts.some((host) => host.id === id && host.generation === generation && isFresh(host, clocksNow()));
    const fenced = note.sharers.filter((sharer) => !gaveBack(sharer)).map(({ name }) => name);
    await this.#holders.keep({ ...note, fenced });
  }

  async #refusal(vm: LeasedVm, code: number): Promise<GodwitError> {
    const { host } = this.#options;
    if (!heldElsewhere.has(code))
      return GodwitError.of("LEASE_UNAVAILABLE", {
        vm: vm.name,
        reason: `sanlock on host ${host} answered ${String(code)}`,
      });
    const { holders } = await this.show(vm);
    return GodwitError.of("LEASE_HELD", { vm: vm.name, holders: holders.filter((one) => one.host !== host) });
  }
}

const placeOf = ({ lockspace, resource, path }: Holding): LeasePlace => ({ lockspace, resource, path });
