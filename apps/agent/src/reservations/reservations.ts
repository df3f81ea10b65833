/**
 * This host's registration with the LUNs of its datastores for SCSI-3 persistent reservations: kept, made again where that
 * is safe, and its VMs on a LUN ended where another host has taken it away. What is done is decided in `reservation-rules.ts`
 * of storage. A look that fails is no fact: nothing follows from it. For each LUN one thing is done at a time, also the activation of volumes.
 */
import { randomInt } from "node:crypto";
import { datastoresOf, GodwitError, type DatastoreReservations, type LunSource } from "@godwit/contract";
import {
  isKeyOf,
  isOurs,
  isRegisteredWhole,
  keyOf,
  keysToTake,
  mayActivate,
  mostGeneration,
  notFenced,
  notReservable,
  ReservedLun,
  stepOf,
  type LunDoor,
  type LunHere,
} from "@godwit/storage";
import type { Logger } from "pino";
import type { HostDatastores } from "../datastores/host-datastores.ts";
import type { Processes } from "../qemu/processes.ts";
import { reasonOf } from "../reason.ts";
import { RepeatedLook } from "../repeated-look.ts";
import type { RegistrationNote, RegistrationNotes } from "./registration-note.ts";

export interface ReservationsParts {
  host: string;
  notes: RegistrationNotes;
  datastores: Pick<HostDatastores, "all" | "find">;
  processes: Pick<Processes, "present">;
  log: Pick<Logger, "info" | "warn" | "error">;
  findLun?: (wwn: string) => Promise<LunDoor>;
}

/** Of those that are on, and of others. */
const everyMs = 2000;
const offEveryMs = 30_000;
/** While a LUN hangs, those who wait for their turn must not pile up. */
const mostWaiting = 50;

interface Lun {
  name: string;
  source: LunSource;
  isWanted: boolean;
}
/** What a look found, and what it left after what it did. */
interface Look {
  lun: LunDoor;
  here: LunHere;
  reason: string | null;
}

export class Reservations {
  readonly #parts: ReservationsParts;
  readonly #states = new Map<string, DatastoreReservations>();
  readonly #lookedAtMs = new Map<string, number>();
  /** Datastores that a look waits for or goes on at. */
  readonly #looking = new Set<string>();
  /** The end of what is done last with each datastore, and how many wait. */
  readonly #turns = new Map<string, { end: Promise<unknown>; waiting: number }>();
  /** The LUN's generation after this agent took a host's keys last, by datastore and host, and the key that it had itself. */
  readonly #taken = new Map<string, { generation: string; ownKey: string }>();

  constructor(parts: ReservationsParts) {
    this.#parts = parts;
  }

  /** Whether this host may be fenced there. */
  areOn(datastore: string): boolean {
    return this.#find(datastore)?.isWanted === true;
  }

  /** As it was seen last. */
  stateOf(datastore: string): DatastoreReservations | undefined {
    return this.#states.get(datastore);
  }

  repeated(): RepeatedLook {
    return new RepeatedLook(
      500,
      () => {
        for (const lun of this.#luns()) if (this.#isDue(lun)) void this.#lookApart(lun);
        return Promise.resolve();
      },
      () => undefined,
    );
  }

  /**
   * Activates volumes of a datastore for a VM's QEMU. On a LUN with reservations this host must be registered before, and does not register
   * while they are being activated.
   * @throws DATASTORE_UNAVAILABLE, and what `activate` throws
   */
  async activating<T>(datastore: string, activate: () => Promise<T>): Promise<T> {
    // Where they are off nobody waits: a reservation is made only after this host has registered.
    if (!this.areOn(datastore)) return await activate();
    return await this.#inTurn(datastore, async () => {
      const lun = this.#find(datastore);
      if (lun?.isWanted === true) {
        const { here, reason } = await this.#look(lun);
        if (!mayActivate(here))
          throw this.#unavailable(datastore, reason ?? "this host is not registered with the LUN");
      }
      return await activate();
    });
  }

  /**
   * Makes the reservation, if the LUN has a key of each of these hosts.
   * @throws DATASTORE_WITHOUT_RESERVATIONS, DATASTORE_UNAVAILABLE
   */
  async reserve(datastore: string, hosts: readonly string[]): Promise<void> {
    await this.#inTurn(datastore, async () => {
      const { lun, here, reason } = await this.#look(this.#wanted(datastore));
      const { ownKey } = here;
      const problem = reason ?? notReservable(hosts, here.seen);
      if (problem !== null || ownKey === null)
        throw this.#unavailable(datastore, problem ?? "this host is not registered with the LUN");
      if (here.seen.reservation !== null) return;
      await lun.reserve(ownKey).catch((error: unknown) => {
        throw this.#unavailable(datastore, reasonOf(error).replace(/\.$/, ""));
      });
      this.#parts.log.info({ datastore }, "a LUN is reserved for the hosts that are registered");
    });
  }

  /** That a host's keys can be taken away. @throws Error with the reason, the end of a sentence, also where that is not known */
  async mayTake(datastore: string, dead: string): Promise<void> {
    await this.#inTurn(datastore, () => this.#toTake(datastore, dead));
  }

  /**
   * Takes a host's keys away, so that the LUN refuses what it writes, and looks that it does.
   * @throws Error with the reason, the end of a sentence, also where that is not known
   */
  async take(datastore: string, dead: string): Promise<void> {
    await this.#inTurn(datastore, async () => {
      const { lun, here, ownKey, keys } = await this.#toTake(datastore, dead);
      for (const key of keys) await lun.preempt(ownKey, key);
      const after = await lun.read();
      const problem = notFenced(here, keys, after);
      if (problem !== null) throw new Error(`${problem} (datastore ${datastore})`);
      this.#taken.set(`${datastore} ${dead}`, { generation: after.generation, ownKey });
      this.#parts.log.warn({ datastore, host: dead, keys }, "a host was fenced at a LUN");
    });
  }

  async #toTake(datastore: string, dead: string): Promise<Look & { ownKey: string; keys: string[] }> {
    const look = await this.#look(this.#wanted(datastore));
    const { ownKey, seen } = look.here;
    const before = this.#taken.get(`${datastore} ${dead}`);
    const takenAt = before !== undefined && before.ownKey === ownKey ? before.generation : null;
    const take = keysToTake(look.here, dead, takenAt, seen);
    if ("problem" in take) throw new Error(`${take.problem} (datastore ${datastore})`);
    if (ownKey === null) throw new TypeError("a host without a key takes none");
    return { ...look, ownKey, keys: take.keys };
  }

  #luns(): Lun[] {
    return this.#parts.datastores.all.flatMap(({ name, source, reservations }) =>
      source.kind === "lun" ? [{ name, source, isWanted: reservations === true }] : [],
    );
  }

  #find(datastore: string): Lun | null {
    return this.#luns().find(({ name }) => name === datastore) ?? null;
  }

  /** @throws DATASTORE_WITHOUT_RESERVATIONS */
  #wanted(datastore: string): Lun {
    const found = this.#find(datastore);
    if (found?.isWanted === true) return found;
    throw GodwitError.of("DATASTORE_WITHOUT_RESERVATIONS", { datastore });
  }

  #isDue({ name, isWanted }: Lun): boolean {
    if (this.#looking.has(name)) return false;
    const everyOne = isWanted || this.#states.get(name)?.registered === true ? everyMs : offEveryMs;
    const last = this.#lookedAtMs.get(name);
    return last === undefined || performance.now() - last >= everyOne;
  }

  /** Never rejects. */
  async #lookApart(lun: Lun): Promise<void> {
    this.#looking.add(lun.name);
    // As it is defined when its turn comes.
    await this.#inTurn(lun.name, async () => {
      const now = this.#find(lun.name);
      if (now !== null) await this.#look(now);
    }).catch(() => undefined); // the state tells
    this.#lookedAtMs.set(lun.name, performance.now());
    this.#looking.delete(lun.name);
  }

  /** Looks, and does what is to be done. @throws DATASTORE_UNAVAILABLE */
  async #look(lun: Lun): Promise<Look> {
    try {
      const look = await this.#lookAt(lun);
      const { ownKey, seen } = look.here;
      this.#tell(lun.name, {
        // Before it is reserved all paths count; afterwards one key is enough for others to know of this host.
        registered:
          ownKey !== null &&
          seen.keys.includes(ownKey) &&
          (seen.reservation !== null || isRegisteredWhole(look.here)),
        reserved: seen.reservation !== null && isOurs(seen.reservation),
        reason: look.reason,
      });
      return look;
    } catch (error) {
      const reason = reasonOf(error).replace(/\.$/, "");
      this.#tell(lun.name, { registered: false, reserved: false, reason });
      throw this.#unavailable(lun.name, reason);
    }
  }

  async #lookAt({ name, source: { wwn }, isWanted }: Lun): Promise<Look> {
    const { host, notes, findLun = (of: string) => ReservedLun.find(of) } = this.#parts;
    const lun = await findLun(wwn);
    const note = await notes.read(wwn);
    const here: LunHere = {
      ...{ host, isWanted, ownKey: note?.key ?? null, hasActiveVolumes: lun.hasActiveVolumes },
      ...pathsHere(lun, note),
      seen: await lun.read(),
    };
    const ofNow = async (reason: string | null = null): Promise<Look> => {
      const now = await notes.read(wwn);
      const after: LunHere = {
        ...{ ...here, ownKey: now?.key ?? null },
        ...pathsHere(lun, now),
        seen: await lun.read(),
      };
      return { lun, here: after, reason: reason ?? shortcoming(after) };
    };
    switch (stepOf(here)) {
      case "none":
        return { lun, here, reason: shortcoming(here) };
      case "adopt": {
        const [key] = here.seen.keys.filter((one) => isKeyOf(host, one));
        if (key === undefined) throw new TypeError("what is adopted is there");
        await notes.write(wwn, { key, paths: lun.identities });
        return await ofNow();
      }
      case "register":
        await this.#register(lun, wwn, note);
        return await ofNow();
      case "unregister":
        await lun.unregister();
        return await ofNow("this host registers anew, as its paths to the LUN are others");
      case "endVms":
        this.#endVms(name);
        return { lun, here, reason: "another host has taken its key away; its VMs there are ended" };
      case "clear":
        await lun.clear(here.ownKey ?? "");
        await notes.remove(wwn);
        this.#parts.log.info({ datastore: name }, "the reservations of a LUN were removed");
        return await ofNow();
      case "forget":
        await notes.remove(wwn);
        return await ofNow();
    }
  }

  /** Under a key of its own, which is noted before the LUN has it. What is left of earlier ones goes. */
  async #register(lun: LunDoor, wwn: string, before: RegistrationNote | null): Promise<void> {
    const { host, notes, log } = this.#parts;
    let key = keyOf(host, randomInt(mostGeneration + 1));
    while (key === before?.key) key = keyOf(host, randomInt(mostGeneration + 1));
    await notes.write(wwn, { key, paths: [] });
    await lun.register(key);
    await notes.write(wwn, { key, paths: lun.identities });
    const { keys } = await lun.read();
    const old = new Set(keys.filter((one) => one !== key && isKeyOf(host, one)));
    for (const one of old) await lun.preempt(key, one);
    log.info({ wwn, key, paths: lun.paths.map(({ device }) => device) }, "registered with a LUN");
  }

  #endVms(datastore: string): void {
    const { processes, log } = this.#parts;
    for (const process of processes.present) {
      if (!datastoresOf(process.spec.vm).includes(datastore)) continue;
      const vm = process.spec.vm.name;
      log.error({ vm, datastore }, "VM ended: another host has taken this host's key of its LUN away");
      process.kill().catch((error: unknown) => {
        log.error({ err: error, vm }, "a VM that must end does not end yet");
      });
    }
  }

  #tell(datastore: string, state: DatastoreReservations): void {
    const before = this.#states.get(datastore);
    this.#states.set(datastore, state);
    if (before?.reason !== state.reason && state.reason !== null && this.#find(datastore)?.isWanted === true)
      this.#parts.log.warn({ datastore, ...state }, "persistent reservations are not as they should be");
  }

  async #inTurn<T>(datastore: string, action: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(datastore) ?? { end: Promise.resolve(), waiting: 0 };
    if (before.waiting >= mostWaiting) throw this.#unavailable(datastore, "the LUN hangs");
    const done = before.end.then(action);
    const turn = { end: done.catch(() => undefined), waiting: before.waiting + 1 };
    this.#turns.set(datastore, turn);
    try {
      return await done;
    } finally {
      const now = this.#turns.get(datastore);
      if (now !== undefined) now.waiting -= 1;
    }
  }

  #unavailable(datastore: string, reason: string): GodwitError {
    return GodwitError.of("DATASTORE_UNAVAILABLE", {
      ...{ datastore, host: this.#parts.host },
      reason: `persistent reservations: ${reason}`,
    });
  }
}

const pathsHere = (
  lun: LunDoor,
  note: RegistrationNote | null,
): Pick<LunHere, "arePathsSame" | "hasDeadPath"> => ({
  arePathsSame: lun.identities.every((path) => note?.paths.includes(path) === true),
  hasDeadPath: lun.dead.some((path) => note?.paths.includes(path) !== true),
});

/** Why it is not as it should be although nothing is to be done, the end of a sentence. */
function shortcoming({ isWanted, ownKey, arePathsSame, hasDeadPath, seen }: LunHere): string | null {
  const { reservation } = seen;
  if (!isWanted)
    return reservation === null ? null : "the LUN is reserved, and reservations are off for this datastore";
  if (reservation !== null && !isOurs(reservation)) return "the LUN is reserved by others, or in another way";
  if (ownKey === null) return "this host is not registered, and VMs on it use the LUN";
  if (!arePathsSame)
    return "a path of this host is new: the LUN refuses what is written over it until no VM here uses the LUN";
  if (hasDeadPath)
    return "a path of this host that is not registered does not work: bring it back, or remove its device";
  return null;
}
