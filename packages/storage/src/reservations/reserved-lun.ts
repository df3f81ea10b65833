/** A LUN by its paths, for persistent reservations: what is of the LUN is asked on one that runs, and each is registered by itself. */
import { GodwitError } from "@godwit/contract";
import { lunOnHost, type LunOnHost, type LunPath } from "./lun-paths.ts";
import type { ReservationKey } from "./reservation-key.ts";
import * as sg from "./sg-persist.ts";

/** What is asked of one, and done with it. */
export type LunDoor = Pick<ReservedLun, keyof ReservedLun>;

export class ReservedLun {
  /** Those that run. */
  readonly paths: readonly LunPath[];
  /** Identities of those that do not. */
  readonly dead: readonly string[];
  readonly hasActiveVolumes: boolean;

  private constructor({ paths, hasActiveVolumes }: LunOnHost) {
    this.paths = paths.filter(({ isRunning }) => isRunning);
    this.dead = paths.filter(({ isRunning }) => !isRunning).map(({ identity }) => identity);
    this.hasActiveVolumes = hasActiveVolumes;
  }

  /** @throws Error with the reason, the end of a sentence */
  static async find(wwn: string): Promise<ReservedLun> {
    const lun = new ReservedLun(await lunOnHost(wwn));
    if (lun.paths.length === 0) throw new Error(`no path to LUN wwn-0x${wwn} works`);
    return lun;
  }

  get identities(): string[] {
    return this.paths.map(({ identity }) => identity);
  }

  /** @throws PROGRAM_MISSING, PROGRAM_FAILED */
  async read(): Promise<sg.LunReservations> {
    return await this.#onOne((path) => sg.readReservations(path));
  }

  /** All paths. @throws PROGRAM_MISSING; PROGRAM_FAILED where one is not registered */
  async register(key: ReservationKey): Promise<void> {
    for (const { device } of this.paths) await sg.register(device, key);
  }

  /** All paths, under whichever key they are. @throws PROGRAM_FAILED */
  async unregister(): Promise<void> {
    for (const { device } of this.paths) await sg.unregister(device);
  }

  /** @throws PROGRAM_FAILED where another has reserved it */
  async reserve(key: ReservationKey): Promise<void> {
    await sg.reserve(this.#first(), key);
  }

  /** @throws PROGRAM_FAILED */
  async preempt(key: ReservationKey, other: ReservationKey): Promise<void> {
    await sg.preempt(this.#first(), key, other);
  }

  /** @throws PROGRAM_FAILED */
  async clear(key: ReservationKey): Promise<void> {
    await sg.clear(this.#first(), key);
  }

  #first(): string {
    const [first] = this.paths;
    if (first === undefined) throw new TypeError("a LUN that was found has a path");
    return first.device;
  }

  async #onOne<T>(ask: (path: string) => Promise<T>): Promise<T> {
    let failure: unknown;
    for (const { device } of this.paths) {
      try {
        return await ask(device);
      } catch (error) {
        if (!GodwitError.is(error, "PROGRAM_FAILED")) throw error;
        failure = error;
      }
    }
    throw failure;
  }
}
