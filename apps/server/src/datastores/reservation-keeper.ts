/**
 * Has LUNs reserved whose hosts have all registered: a host that has not could not write any more. Which hosts those are the server
 * knows; that the LUN has a key of each, the host looks that makes the reservation.
 */
import { GodwitError } from "@godwit/contract";
import { sourceOn, type DatastoreRow, type HostRow } from "@godwit/store";
import type { Logger } from "pino";
import type { Inventory } from "../inventory.ts";
import { Rounds } from "../rounds.ts";

const everyMs = 5000;
const answerLimitMs = 30_000;

/** Hosts that have a LUN, if it is to be reserved now; null: it is not. Pure. */
export function hostsToReserveFor(
  row: DatastoreRow,
  hosts: readonly Pick<HostRow, "name" | "load">[],
  isUp: (host: string) => boolean,
): string[] | null {
  if (row.reservations !== true) return null;
  const having = hosts.filter(({ name }) => sourceOn(row, name) !== null);
  const states = having.map(({ name, load }) =>
    isUp(name) ? load?.datastores.find((one) => one.name === row.name)?.reservations : undefined,
  );
  if (having.length === 0 || states.some((state) => state?.registered !== true)) return null;
  return states.some((state) => state?.reserved === true) ? null : having.map(({ name }) => name);
}

export class ReservationKeeper {
  readonly #services: Inventory;
  readonly #log: Logger;
  readonly #rounds: Rounds;

  constructor(services: Inventory, log: Logger) {
    this.#services = services;
    this.#log = log;
    this.#rounds = new Rounds(
      everyMs,
      () => this.#reserveAll(),
      (error) => {
        log.warn({ err: error }, "whether LUNs are to be reserved could not be looked at");
      },
    );
  }

  start(): void {
    this.#rounds.start();
  }

  async stop(): Promise<void> {
    await this.#rounds.stop();
  }

  async #reserveAll(): Promise<void> {
    const { store, hosts } = this.#services;
    const rows = (await store.datastores.list()).filter(({ reservations }) => reservations === true);
    if (rows.length === 0) return;
    const all = await store.hosts.list();
    for (const row of rows) {
      const wanted = hostsToReserveFor(row, all, (host) => hosts.isUp(host));
      const [first] = wanted ?? [];
      if (wanted === null || first === undefined) continue;
      const link = hosts.of(first);
      try {
        const call = { params: { datastore: row.name }, body: { hosts: wanted } };
        await link.agent.call("datastoreReserve", call, { timeoutMs: answerLimitMs });
        await link.reported();
      } catch (error) {
        if (!GodwitError.is(error)) throw error;
        this.#log.warn({ err: error, datastore: row.name, host: first }, "a LUN was not reserved");
      }
    }
  }
}
