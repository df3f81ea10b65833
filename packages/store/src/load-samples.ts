/** What hosts and VMs used: a number of windows of each length is kept of every host, and no more. */
import type { VmId } from "@godwit/contract";
import { sql } from "kysely";
import type { Database } from "./database.ts";
import type { LoadSampleRow, VmLoadSample } from "./load-sample.ts";

export class LoadSamples {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Writes samples, and removes older ones of these hosts: by their number, so that a clock that was set keeps no more.
   * Those of a host that is no more are passed over.
   * @param kept how many of each resolution
   */
  async write(
    samples: readonly LoadSampleRow[],
    kept: Record<LoadSampleRow["resolution"], number>,
  ): Promise<void> {
    if (samples.length === 0) return;
    const rows = JSON.stringify(samples);
    const hosts = [...new Set(samples.map(({ host }) => host))];
    await this.#database.write(async (tx) => {
      await sql`
        insert into load_samples (host, resolution, at, used_cpus, stolen_cpus, available_bytes, cpu_pressure, memory_pressure, vms)
        select host, resolution, to_timestamp("atMs" / 1000.0), "usedCpus", "stolenCpus", "availableBytes", "cpuPressure",
          "memoryPressure", vms
        from jsonb_to_recordset(${rows}::jsonb) as sample (
          host text, resolution text, "atMs" float8, "usedCpus" real, "stolenCpus" real, "availableBytes" float8, "cpuPressure" real,
          "memoryPressure" real, vms jsonb)
        where exists (select from hosts where hosts.name = sample.host)
        order by host, resolution, "atMs"
        on conflict (host, resolution, at) do update set vms = excluded.vms, used_cpus = excluded.used_cpus`.execute(
        tx,
      );
      await sql`
        delete from load_samples using (
          select host, resolution, at, row_number() over (partition by host, resolution order by at desc) as place
          from load_samples where host = any(${hosts}::text[])
        ) old
        where old.host = load_samples.host and old.resolution = load_samples.resolution and old.at = load_samples.at
          and old.place > case old.resolution when 'fine' then ${kept.fine}::int else ${kept.coarse}::int end`.execute(
        tx,
      );
    });
  }

  /** Of one VM on a host, from then on: its fine windows. */
  async ofVm(host: string, vmId: VmId, since: Date): Promise<VmLoadSample[]> {
    const { rows } = await this.#database.read((db) =>
      sql<{ sample: VmLoadSample }>`
        select vms -> ${vmId}::text as sample from load_samples
        where host = ${host} and resolution = 'fine' and at >= ${since} and vms ? ${vmId}::text order by at`.execute(
        db,
      ),
    );
    return rows.map(({ sample }) => sample);
  }

  /** Of these hosts, from then on. */
  async of(hosts: readonly string[], since: Date): Promise<LoadSampleRow[]> {
    return await this.#database.read(async (db) => {
      const rows = await db
        .selectFrom("load_samples")
        .selectAll()
        .where(sql<boolean>`host = any(${hosts}::text[])`)
        .where("at", ">=", since)
        .orderBy("host")
        .orderBy("at")
        .execute();
      return rows.map((row) => ({
        ...{ host: row.host, resolution: row.resolution, atMs: row.at.getTime(), vms: row.vms },
        ...{ usedCpus: row.used_cpus, stolenCpus: row.stolen_cpus, availableBytes: row.available_bytes },
        ...{ cpuPressure: row.cpu_pressure, memoryPressure: row.memory_pressure },
      }));
    });
  }
}
