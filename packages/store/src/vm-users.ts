/** What hosts report of single VMs: who their QEMUs run as, and what they use. */
import type { VmId, VmLoad } from "@godwit/contract";
import { sql } from "kysely";
import type { Database } from "./database.ts";

export class VmUsers {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** As its host last reported; null: not known. */
  async of(host: string, vmId: VmId): Promise<VmLoad | null> {
    const { rows } = await this.#database.read((db) =>
      sql<{ vm: VmLoad }>`
        select vm from host_loads, jsonb_array_elements(load -> 'vms') as vm
        where host = ${host} and vm ->> 'id' = ${vmId}`.execute(db),
    );
    return rows[0]?.vm ?? null;
  }

  /**
   * Whether a VM that is started at a host may have a user of its own: its agent knows such users, and no agent is known
   * that does not. A host that never reported is passed over: no VM can move there.
   */
  async mayBeOwn(host: string): Promise<boolean> {
    const { rows } = await this.#database.read((db) =>
      sql<{ known: boolean }>`
        select coalesce(bool_and(facts -> 'containment' is not null), false)
          and coalesce(bool_or(host = ${host}), false) as known
        from host_facts`.execute(db),
    );
    return rows[0]?.known === true;
  }

  /** Whether every agent that is known, and a host's own, can do something: what a VM then has no host refuses. */
  async areAllAble(host: string, ability: string): Promise<boolean> {
    const { rows } = await this.#database.read((db) =>
      sql<{ able: boolean }>`
        select coalesce(bool_and(facts -> 'abilities' ? ${ability}), false)
          and coalesce(bool_or(host = ${host}), false) as able
        from host_facts`.execute(db),
    );
    return rows[0]?.able === true;
  }
}
