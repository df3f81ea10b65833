/** How moves went in terms of their forecasts. Of each VM between two hosts the newest are kept, and of all a number. */
import type { CorrectedFigure, TaskId, VmId } from "@godwit/contract";
import { sql } from "kysely";
import type { Database } from "./database.ts";

export interface MoveOutcomeRow {
  task: TaskId;
  vmId: VmId;
  from: string;
  to: string;
  /** What happened, in terms of what was told. */
  ratios: Partial<Record<CorrectedFigure, number>>;
}

export interface KeptOutcome extends Pick<MoveOutcomeRow, "vmId" | "ratios"> {
  at: Date;
}

const keptInAll = 20_000;
/** Of other VMs between the same hosts: the newest of them tell enough. */
const othersRead = 64;

export class MoveOutcomes {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Entering the same one again changes nothing; one of a VM or host that is no more is passed over.
   * @param kept how many of the VM between these hosts
   */
  async enter({ task, vmId, from, to, ratios }: MoveOutcomeRow, kept: number): Promise<void> {
    await this.#database.write(async (tx) => {
      await sql`
        insert into move_outcomes (task, vm, from_host, to_host, ratios)
        select ${task}::uuid, vms.id, ${from}, ${to}, ${JSON.stringify(ratios)}::jsonb from vms
        where vms.id = ${vmId}::uuid and (select count(*) from hosts where name in (${from}, ${to})) = 2
        on conflict (task) do nothing`.execute(tx);
      await sql`
        delete from move_outcomes where vm = ${vmId}::uuid and from_host = ${from} and to_host = ${to} and number <= (
          select number from move_outcomes where vm = ${vmId}::uuid and from_host = ${from} and to_host = ${to}
          order by number desc offset ${kept} limit 1)`.execute(tx);
      await sql`
        delete from move_outcomes where number <= (
          select number from move_outcomes order by number desc offset ${keptInAll} limit 1)`.execute(tx);
    });
  }

  /** Of the VM between two hosts, and the newest of other VMs between them. */
  async between(vmId: VmId, from: string, to: string): Promise<KeptOutcome[]> {
    const rows = await this.#database.read((db) => {
      const all = db
        .selectFrom("move_outcomes")
        .select(["vm", "at", "ratios"])
        .where("from_host", "=", from)
        .where("to_host", "=", to)
        .orderBy("number", "desc");
      return Promise.all([
        all.where("vm", "=", vmId).execute(),
        all.where("vm", "!=", vmId).limit(othersRead).execute(),
      ]);
    });
    return rows.flat().map(({ vm, at, ratios }) => ({ vmId: vm as VmId, at, ratios }));
  }
}
