/**
 * Hosts' access to datastores with a fence program: taken away from a host that is silent, so that its VMs can start elsewhere, and given back when nothing
 * that it had under way can still be written. That is so when it has booted since, by the boot ids that it tells, or when an operator vouches for it.
 * That access is taken away is written down before the program runs: a server that is killed meanwhile does not forget it.
 */
import { finding, GodwitError, type Finding, type HostFacts, type HostLoad } from "@godwit/contract";
import type { HostAccessRow, Store } from "@godwit/store";
import type { Logger } from "pino";
import {
  fenceOrder,
  withEarlier,
  type FenceAction,
  type FenceOrder,
  type FencePrograms,
} from "./fence-programs.ts";

export interface HostAccessParts {
  store: Pick<Store, "access" | "datastores" | "hosts">;
  programs: Pick<FencePrograms, "run">;
  log: Logger;
}

/** VMs of one host are fenced one after the other; access that was taken stays so until it is given back. */
const takenForMs = 60_000;
const checksAtOnce = 8;
/** After the program did not give access back. */
const againMs = 60_000;

export class HostAccess {
  readonly #parts: HostAccessParts;
  /** As the database has them. */
  #rows: readonly HostAccessRow[] = [];
  #reading: Promise<void> = Promise.resolve();
  /** By host and datastore: the last that was done or is under way. */
  readonly #turns = new Map<string, Promise<void>>();
  /** By host and datastore: when the program last succeeded in taking access away. */
  readonly #takenMs = new Map<string, number>();
  /** By host and datastore: when giving it back was tried last. */
  readonly #triedMs = new Map<string, number>();

  constructor(parts: HostAccessParts) {
    this.#parts = parts;
  }

  /** @throws DATABASE_UNAVAILABLE */
  async open(): Promise<void> {
    // One after the other: what was read first is not kept for what was read later.
    const read = this.#reading.then(async () => {
      this.#rows = await this.#parts.store.access.list();
    });
    this.#reading = read.catch(() => undefined);
    await read;
  }

  /** What is under way goes to its end. */
  async stop(): Promise<void> {
    await Promise.all(this.#turns.values());
  }

  of(datastore: string, host: string): HostAccessRow | undefined {
    return this.#rows.find((row) => row.datastore === datastore && row.host === host);
  }

  /** That a program can be used for all hosts of a datastore; ends at the first for which it cannot. @throws FENCE_PROGRAM_UNUSABLE */
  async check(datastore: string, program: string, hosts: readonly string[]): Promise<void> {
    const waiting = hosts.values();
    const problems: string[] = [];
    const checkOneByOne = async () => {
      for (const host of waiting) {
        const reason = await this.#run("check", datastore, host, program);
        if (reason !== null) problems.push(`for host ${host}: ${reason}`);
        if (problems.length > 0) return;
      }
    };
    await Promise.all(Array.from({ length: checksAtOnce }, checkOneByOne));
    const [reason] = problems.sort();
    if (reason !== undefined) throw GodwitError.of("FENCE_PROGRAM_UNUSABLE", { datastore, program, reason });
  }

  /**
   * When it returns the host can write nothing more there.
   * @param bootId of the boot in which it may have something to write; null: not known
   * @throws Error with the reason, the end of a sentence; and then it may have lost its access all the same
   */
  async revoke(datastore: string, host: string, bootId: string | null): Promise<void> {
    const { store, log } = this.#parts;
    await this.#inTurn(datastore, host, async () => {
      const takenMs = this.#takenMs.get(keyOf(datastore, host));
      const row = this.of(datastore, host);
      const isTaken = row?.state === "revoked" && row.bootId === bootId;
      if (isTaken && takenMs !== undefined && performance.now() - takenMs < takenForMs) return;
      this.#takenMs.delete(keyOf(datastore, host));
      const now = (await this.#orderOf(datastore, host)).host;
      const order = withEarlier(now, row?.order);
      const program = await store.access.revoking(datastore, order, { bootId, now: new Date() });
      await this.open();
      const reason = await this.#run("revoke", datastore, host, program);
      await store.access.set(datastore, host, { state: reason === null ? "revoked" : "revoking", reason });
      await this.open();
      log.warn({ datastore, host, program, reason }, "a host's access was to be taken away");
      if (reason !== null)
        throw new Error(`fence program ${program} of datastore ${datastore} did not succeed: ${reason}`);
      this.#takenMs.set(keyOf(datastore, host), performance.now());
    });
  }

  /**
   * An operator vouches that the host was restarted since, or is off. Also where the server knows of nothing: it may have been restored from a backup.
   * @throws DATASTORE_UNKNOWN, HOST_UNKNOWN, DATASTORE_WITHOUT_FENCING, DATASTORE_ACCESS_NOT_RESTORED
   */
  async restore(datastore: string, host: string): Promise<void> {
    const reason = await this.#inTurn(datastore, host, () => this.#restore(datastore, host));
    if (reason !== null) throw GodwitError.of("DATASTORE_ACCESS_NOT_RESTORED", { datastore, host, reason });
  }

  /** A host tells what it is, in an order: what it told before is known. @returns what an operator should know */
  heard(host: string, { bootId }: Pick<HostFacts, "bootId">): Finding[] {
    for (const row of this.#rows)
      if (row.host === host && hasBooted(row, bootId)) this.#restoreLater(row, bootId);
    return this.alarms(host);
  }

  alarms(host: string): Finding[] {
    return this.#rows
      .filter((row) => row.host === host)
      .map(({ datastore, since, reason, bootId }) =>
        finding(
          "DATASTORE_ACCESS_REVOKED",
          { datastore, host, since, reason, isBootKnown: bootId !== null },
          "warning",
        ),
      );
  }

  /** What a host tells of itself: a datastore that it has no access to it cannot use, however it looks from there. */
  seen(load: HostLoad): HostLoad {
    const rows = this.#rows.filter(({ host }) => host === load.name);
    if (rows.length === 0) return load;
    const datastores = load.datastores.map((one) => {
      const row = rows.find(({ datastore }) => datastore === one.name);
      return row === undefined ? one : { ...one, reason: reasonOf(row) };
    });
    return { ...load, datastores };
  }

  /** That a host may use datastores. @throws DATASTORE_UNAVAILABLE */
  mustHave(datastores: readonly string[], host: string): void {
    for (const datastore of datastores) {
      const row = this.of(datastore, host);
      if (row !== undefined)
        throw GodwitError.of("DATASTORE_UNAVAILABLE", { datastore, host, reason: reasonOf(row) });
    }
  }

  #restoreLater({ datastore, host }: HostAccessRow, bootId: string | undefined): void {
    const key = keyOf(datastore, host);
    const triedMs = this.#triedMs.get(key);
    if (triedMs !== undefined && performance.now() - triedMs < againMs) return;
    this.#triedMs.set(key, performance.now());
    this.#inTurn(datastore, host, async () => {
      // It may have been fenced again meanwhile, in the boot that it told of.
      const row = this.of(datastore, host);
      if (row !== undefined && hasBooted(row, bootId)) await this.#restore(datastore, host);
    }).catch((error: unknown) => {
      this.#parts.log.warn({ err: error, datastore, host }, "a host did not get its access back");
    });
  }

  /** @returns why not, the end of a sentence; null: it has its access back */
  async #restore(datastore: string, host: string): Promise<string | null> {
    const { store, log } = this.#parts;
    const { fenceProgram: program } = await store.datastores.show(datastore);
    if (program === undefined)
      throw GodwitError.of("DATASTORE_WITHOUT_FENCING", { datastore, reason: "it has no fence program" });
    this.#takenMs.delete(keyOf(datastore, host));
    await store.access.set(datastore, host, { state: "restoring", reason: null });
    await this.open();
    const reason = await this.#run("restore", datastore, host, program);
    if (reason === null) await store.access.restored(datastore, host);
    else await store.access.set(datastore, host, { state: "restoring", reason });
    await this.open();
    log.warn({ datastore, host, program, reason }, "a host was to get its access back");
    return reason;
  }

  async #run(action: FenceAction, datastore: string, host: string, program: string): Promise<string | null> {
    const order = await this.#orderOf(datastore, host);
    // What was taken is given back: it may have other addresses by now.
    const fenced = action === "check" ? undefined : this.of(datastore, host)?.order;
    return await this.#parts.programs.run(program, action, { ...order, host: fenced ?? order.host });
  }

  async #orderOf(datastore: string, host: string): Promise<FenceOrder> {
    const { store } = this.#parts;
    const [row, known] = await Promise.all([store.datastores.show(datastore), store.hosts.show(host)]);
    const own = row.hosts.find((one) => one.host === host)?.source;
    return fenceOrder({ name: datastore, source: own ?? row.source }, known);
  }

  /** One after the other for a host and a datastore. */
  async #inTurn<T>(datastore: string, host: string, action: () => Promise<T>): Promise<T> {
    const key = keyOf(datastore, host);
    const result = (this.#turns.get(key) ?? Promise.resolve()).then(action);
    const over = result.then(
      () => undefined,
      () => undefined,
    );
    this.#turns.set(key, over);
    try {
      return await result;
    } finally {
      if (this.#turns.get(key) === over) this.#turns.delete(key);
    }
  }
}

const keyOf = (datastore: string, host: string): string => JSON.stringify([datastore, host]);

/** Whether it has booted since: nothing of then is under way. Pure. */
export const hasBooted = ({ bootId }: Pick<HostAccessRow, "bootId">, now: string | undefined): boolean =>
  bootId !== null && now !== undefined && now !== bootId;

/** The remedy goes by its words. */
const reasonOf = ({ since, bootId }: HostAccessRow): string =>
  `the host was fenced there at ${since}, and has not got its access back${bootId === null ? "; which boot was fenced is not known" : ""}`;
