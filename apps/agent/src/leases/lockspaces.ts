/**
 * This host's own leases on its shared datastores: joined, and joined again when that was lost; looked at all
 * the time. sanlock itself ends the VMs of a host that cannot renew its lease, and a watchdog resets the host
 * when even that fails. Should sanlock hang, the agent ends them, so that they are gone before others may
 * start them. When it does, and that a look that failed is no reason, is said in `must-end.ts`.
 */
import { GodwitError, sourceText, type DatastoreLeases } from "@godwit/contract";
import type { DiskLeases, Lockspace } from "@godwit/storage";
import type { Logger } from "pino";
import type { HostDatastores } from "../datastores/host-datastores.ts";
import type { EventLog } from "../event-log.ts";
import type { Processes } from "../qemu/processes.ts";
import { reasonOf } from "../reason.ts";
import { isSilent, mustEnd, type Witness } from "./must-end.ts";
import { within } from "@godwit/system";

export interface LockspacesParts {
  /** This host's name. */
  host: string;
  disks: DiskLeases;
  /** Of this host; those that are shared have leases. */
  datastores: Pick<HostDatastores, "find" | "withLockspaces">;
  ioTimeoutSeconds: number;
  processes: Processes;
  events: EventLog;
  log: Logger;
}

const witnessLimitMs = 5000;
/** What keeps this agent from asking, and says nothing of what it would ask. */
const lacks: ReadonlySet<string> = new Set(["SANLOCK_NOT_ASKED", "EMFILE", "ENFILE", "ENOMEM", "EAGAIN"]);

export class Lockspaces {
  readonly #parts: LockspacesParts;
  readonly #lockspaces = new Map<string, Lockspace>();
  readonly #leases = new Map<string, DatastoreLeases>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  /** Those that are looked at, with where they lie. */
  readonly #watched = new Map<string, string>();
  readonly #startedAt = performance.now();
  /** Of each datastore: looks in a row in which neither sanlock nor the storage answered. */
  readonly #silentLooks = new Map<string, number>();
  #stopped = false;

  constructor(parts: LockspacesParts) {
    this.#parts = parts;
  }

  /** Joins what can be joined, and goes on looking: at each datastore by itself, since one may hang. */
  start(): void {
    this.refresh();
  }

  /** Other datastores may be shared than before, or lie elsewhere. */
  refresh(): void {
    for (const datastore of this.#parts.datastores.withLockspaces) {
      if (this.#watched.has(datastore) || this.#stopped) continue;
      this.#watched.set(datastore, this.#placeOf(datastore));
      this.#look(datastore);
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #look(datastore: string): void {
    const everyMs = Math.min(3000, this.#parts.ioTimeoutSeconds * 2000);
    void this.#keepOrLeave(datastore).then((outcome) => {
      if (this.#stopped) return;
      if (outcome === "left") {
        this.refresh();
        return;
      }
      this.#timers.set(
        datastore,
        setTimeout(() => {
          this.#look(datastore);
        }, everyMs),
      );
    });
  }

  /** Never rejects. A datastore that is gone, or lies elsewhere now, has its leases given back before anything else is done. */
  async #keepOrLeave(datastore: string): Promise<"kept" | "left"> {
    if (this.#placeOf(datastore) === this.#watched.get(datastore)) {
      await this.#keepOne(datastore);
      return "kept";
    }
    const { disks, log } = this.#parts;
    const isLeft = await disks.leave(datastore).catch((error: unknown) => {
      log.warn({ err: error, datastore }, "the leases of a datastore could not be given back");
      return false;
    });
    if (!isLeft) return "kept";
    log.info({ datastore }, "leases of a datastore given back");
    const maps = [this.#watched, this.#lockspaces, this.#leases, this.#silentLooks, this.#timers];
    for (const map of maps) map.delete(datastore);
    return "left";
  }

  /** Of one that is shared; empty for others. */
  #placeOf(datastore: string): string {
    const found = this.#parts.datastores.find(datastore);
    return found !== undefined && this.#has(datastore) ? sourceText(found.source) : "";
  }

  #has(datastore: string): boolean {
    return this.#parts.datastores.withLockspaces.includes(datastore);
  }

  /** Of a shared datastore; null for others. */
  leasesOf(datastore: string): DatastoreLeases | null {
    if (!this.#has(datastore)) return null;
    return this.#leases.get(datastore) ?? { state: "joining", reason: null, watchdog: false };
  }

  /** Whether the own leases of all these hosts were renewed so lately that they will be for a while. */
  areFresh(datastore: string, hosts: readonly string[]): boolean {
    if (this.#parts.datastores.find(datastore)?.shared === false) return true;
    const lockspace = this.#lockspaces.get(datastore);
    return lockspace !== undefined && hosts.every((host) => lockspace.isFresh(host));
  }

  async #keepOne(datastore: string): Promise<void> {
    try {
      const weakness = await this.#keep(datastore);
      await this.#tell(datastore, { state: weakness === null ? "joined" : "unavailable", reason: weakness });
    } catch (error) {
      if (!GodwitError.is(error)) this.#parts.log.error({ err: error, datastore }, "leases not looked after");
      await this.#tell(datastore, { state: "unavailable", reason: reasonOf(error) });
      await this.#endStale(datastore, this.#lockspaces.get(datastore));
    }
  }

  /** @returns why the leases are of no use now, or null */
  async #keep(datastore: string): Promise<string | null> {
    const lockspace = await this.#parts.disks.lockspace(datastore);
    this.#lockspaces.set(datastore, lockspace);
    const isKnown = await lockspace.refreshHosts().then(
      () => lockspace.isFresh(this.#parts.host),
      () => false,
    );
    if (!isKnown && (await lockspace.presence()) === "absent") {
      // Whatever ran under an earlier membership has no lease now, and joining again would hide that from others.
      await this.#end(datastore, "this host was not joined to the leases of its datastore");
      await lockspace.join();
    }
    await this.#endStale(datastore, lockspace);
    return lockspace.isFresh(this.#parts.host)
      ? null
      : "this host's own lease was not renewed for a while: it does not reach its storage";
  }

  /** sanlock should have ended them by then. */
  async #endStale(datastore: string, lockspace: Lockspace | undefined): Promise<void> {
    if (lockspace === undefined || lockspace.ownAgeSeconds() < lockspace.failSeconds) {
      this.#silentLooks.delete(datastore);
      return;
    }
    const { failSeconds } = lockspace;
    const [daemon, storage] = await Promise.all([
      witness(lockspace.refreshHosts().then(() => lockspace.ownAgeSeconds())),
      witness(lockspace.ownAgeOnStorage()),
    ]);
    const silentLooks = isSilent(daemon, storage) ? (this.#silentLooks.get(datastore) ?? 0) + 1 : 0;
    this.#silentLooks.set(datastore, silentLooks);
    const sinceStart = (performance.now() - this.#startedAt) / 1000;
    const secondsUnseen = Math.min(lockspace.ownAgeSeconds(), sinceStart);
    const facts = { daemon, storage, secondsUnseen, silentLooks, failSeconds };
    if (mustEnd(facts))
      void this.#end(datastore, "this host's own lease on its datastore was not renewed in time");
    else
      this.#parts.log.warn({ datastore, ...facts }, "whether this host's own lease was renewed is not seen");
  }

  /** Resolves when they are gone, which may take as long as their storage hangs. */
  async #end(datastore: string, reason: string): Promise<void> {
    const { processes, log } = this.#parts;
    await Promise.all(
      processes.present
        .filter(({ spec }) => spec.vm.datastore === datastore)
        .map(async (process) => {
          log.error({ vm: process.spec.vm.name }, `VM ended: ${reason}`);
          await process.kill();
        }),
    );
  }

  async #tell(datastore: string, state: Pick<DatastoreLeases, "state" | "reason">): Promise<void> {
    const { host, disks, events, log } = this.#parts;
    const before = this.#leases.get(datastore);
    if (before?.state === state.state && before.reason === state.reason) return;
    const watchdog = await disks.usesWatchdog().catch(() => false);
    if (state.state === "joined") log.info({ datastore, watchdog }, "leases of a datastore joined");
    else log.error({ datastore, reason: state.reason }, "a datastore's leases are not available");
    this.#leases.set(datastore, { ...state, watchdog });
    events.append("host.leasesChanged", { kind: "host", id: host }, { datastore, ...state });
  }
}

/** @param look gives how many seconds ago this host renewed; null: nothing is known of a renewal */
async function witness(look: Promise<number | null>): Promise<Witness> {
  try {
    const secondsAgo = await within(look, witnessLimitMs);
    return secondsAgo === null || secondsAgo === Infinity
      ? { kind: "silent" }
      : { kind: "renewed", secondsAgo };
  } catch (error) {
    const code = String((error as NodeJS.ErrnoException).code);
    return lacks.has(code) ? { kind: "notAsked", reason: code } : { kind: "silent" };
  }
}
