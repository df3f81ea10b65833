/**
 * One datastore's lockspace on this host: joined so that this host's own lease is renewed all the time, looked
 * at so that the agent knows whose are fresh. A lease of a VM counts only while its host's own is fresh.
 */
import { createHash } from "node:crypto";
import { GodwitError } from "@godwit/contract";
import type { LockspaceStorage } from "./lease-files.ts";
import { ageSeconds, failAfter, isFresh, type Clocks } from "./lease-view.ts";
import type { LeasePlace } from "./sanlock-resource.ts";
import { answerText, type HostLease, type Sanlock } from "./sanlock.ts";
import { sleep } from "@godwit/system";

const highestId = 2000;
const joinAttempts = 8;
const joinLimitMs = 10_000;

export const clocksNow = (): Clocks => ({
  monotonic: Number(process.hrtime.bigint() / 1_000_000n) / 1000,
  wallMs: Date.now(),
});

export class Lockspace {
  readonly #storage: LockspaceStorage;
  readonly #sanlock: Sanlock;
  readonly #host: string;
  readonly #ioTimeoutSeconds: number;
  #joining: Promise<void> | null = null;
  #hosts: readonly HostLease[] = [];

  constructor(storage: LockspaceStorage, sanlock: Sanlock, host: string, ioTimeoutSeconds: number) {
    this.#storage = storage;
    this.#sanlock = sanlock;
    this.#host = host;
    this.#ioTimeoutSeconds = ioTimeoutSeconds;
  }

  get name(): string {
    return this.#storage.place.lockspace;
  }

  /** Whether this host has joined, or is on its way out or in: then sanlock still answers for what ran under it. */
  async presence(): Promise<"joined" | "changing" | "absent"> {
    const { lockspaces } = await this.#sanlock.status();
    const own = lockspaces.find(({ name }) => name === this.name);
    if (own === undefined) return "absent";
    return own.isJoined ? "joined" : "changing";
  }

  /** Joins unless that is done; who asks meanwhile waits for the same. @throws DATASTORE_LEASES_UNAVAILABLE */
  async join(): Promise<void> {
    this.#joining ??= this.#join()
      .catch((error: unknown) => {
        throw this.#unavailable(error);
      })
      .finally(() => {
        this.#joining = null;
      });
    await this.#joining;
  }

  /** Leaves; one that was not joined is left already. @throws SANLOCK_UNAVAILABLE */
  async leave(): Promise<void> {
    const { lockspaces } = await this.#sanlock.status();
    const own = lockspaces.find(({ name }) => name === this.name);
    if (own === undefined) {
      await this.#storage.left();
      return;
    }
    const code = await this.#sanlock.leave(this.#storage.place, own.id, this.#ioTimeoutSeconds);
    this.#hosts = [];
    if (code === 0 || (await this.presence()) === "absent") {
      await this.#storage.left();
      return;
    }
    throw GodwitError.of("SANLOCK_UNAVAILABLE", {
      reason: `leaving the leases was answered ${answerText(code)}`,
    });
  }

  /** Names of hosts by their ids, as they lie on the storage: also of those that have not renewed since this host joined. */
  async namesOnStorage(): Promise<ReadonlyMap<number, string>> {
    return await this.#sanlock.takenIds(this.#storage.place);
  }

  /** Waits until this host has joined. @throws DATASTORE_LEASES_UNAVAILABLE */
  async joined(): Promise<void> {
    const until = performance.now() + joinLimitMs;
    for (;;) {
      if ((await this.presence()) === "joined") return;
      if (this.#joining !== null) await this.#joining;
      else if (performance.now() > until)
        throw this.#unavailable(
          GodwitError.of("SANLOCK_UNAVAILABLE", { reason: "this host has not joined" }),
        );
      // The one who joins may be about to begin.
      else await sleep(100);
    }
  }

  /** Looks at all hosts' leases. @throws SANLOCK_UNAVAILABLE, PROGRAM_FAILED */
  async refreshHosts(): Promise<readonly HostLease[]> {
    this.#hosts = await this.#sanlock.hosts(this.name);
    return this.#hosts;
  }

  /** As they were when they were looked at last. */
  get hosts(): readonly HostLease[] {
    return this.#hosts;
  }

  /** @throws DATASTORE_LEASES_UNAVAILABLE when this host does not see the storage well enough to judge others */
  requireFresh(): void {
    if (this.isFresh(this.#host)) return;
    throw this.#unavailable(
      GodwitError.of("SANLOCK_UNAVAILABLE", { reason: "this host's own lease was not renewed lately" }),
    );
  }

  /** The same as `ownAgeSeconds`, read from the storage when sanlock does not answer; null: it never joined. */
  async ownAgeOnStorage(): Promise<number | null> {
    const renewedAt = await this.#sanlock.ownRenewal(this.#storage.place, this.#host);
    return renewedAt === null || renewedAt === 0 ? null : clocksNow().monotonic - renewedAt;
  }

  /** Seconds since this host's own lease was renewed, as far as was seen. */
  ownAgeSeconds(): number {
    const own = this.#hosts.filter(({ name }) => name === this.#host);
    return Math.min(...own.map((lease) => ageSeconds(lease, clocksNow())));
  }

  /** Whether a host's lease was renewed so lately that it will be for a while. */
  isFresh(host: string): boolean {
    return this.#hosts.some((lease) => lease.name === host && isFresh(lease, clocksNow()));
  }

  /** After so long without a renewal its VMs must not run any more. */
  get failSeconds(): number {
    return failAfter * this.#ioTimeoutSeconds;
  }

  async #join(): Promise<void> {
    const daemon = await this.#sanlock.daemon();
    if (daemon.hostName !== this.#host) {
      const reason = `it calls this host ${daemon.hostName}; put "our_host_name = ${this.#host}" into /etc/sanlock/sanlock.conf and restart it`;
      throw GodwitError.of("SANLOCK_UNAVAILABLE", { reason });
    }
    if ((await this.presence()) === "joined") return;
    // A folder whose storage is not mounted gets no lockspace.
    await this.#storage.verify();
    const place = await this.#storage.provide(this.#sanlock, this.#ioTimeoutSeconds);
    for (let attempt = 0; ; attempt++) {
      const id = await this.#freeId(place, attempt);
      const code = await this.#sanlock.join(place, id, this.#ioTimeoutSeconds);
      // -17, -115: it has joined, or is about to, by an agent that did not live to see it.
      if (code === 0 || code === -17) break;
      if (code !== -115 && attempt >= joinAttempts)
        throw GodwitError.of("SANLOCK_UNAVAILABLE", {
          reason: `joining the leases was answered ${answerText(code)}`,
        });
      if (code === -115) await sleep(500);
    }
    // The hosts are known from the first renewal on.
    const until = performance.now() + joinLimitMs + this.#ioTimeoutSeconds * 2000;
    while (this.ownAgeSeconds() === Infinity && performance.now() < until) {
      await sleep(100);
      await this.refreshHosts();
    }
  }

  /** The id that this host had, or a free one: each host starts its search at a different id. */
  async #freeId(place: LeasePlace, attempt: number): Promise<number> {
    const taken = await this.#sanlock.takenIds(place);
    const own = [...taken].find(([, name]) => name === this.#host)?.[0];
    if (own !== undefined && attempt === 0) return own;
    const digest = createHash("sha256").update(this.#host).digest().readUInt32BE(0);
    for (let step = 0; step < highestId; step++) {
      const id = ((digest + attempt + step) % highestId) + 1;
      if (!taken.has(id)) return id;
    }
    throw GodwitError.of("SANLOCK_UNAVAILABLE", { reason: `all ${String(highestId)} host ids are taken` });
  }

  #unavailable(error: unknown): unknown {
    if (!GodwitError.is(error)) return error;
    const details = { datastore: this.#storage.name, host: this.#host, reason: error.message };
    return GodwitError.of("DATASTORE_LEASES_UNAVAILABLE", details, { cause: error });
  }
}
