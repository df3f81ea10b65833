/**
 * Memory errors and machine checks as rasdaemon records them in its database, from the kernel's trace events: also those that no EDAC driver
 * counts, as of caches and interconnects. What could not be corrected since the boot is severe; corrected ones count as often as they come.
 * The database is read by a program of its own, and only after rasdaemon wrote to it.
 */
import { statSync } from "node:fs";
import { uptime } from "node:os";
import { run } from "@godwit/system";
import { z } from "zod";
import { SourceAbsent, type HealthSource, type Symptom } from "./health-source.ts";

const hourMs = 3_600_000;
/** Corrected ones of a component within an hour. */
const often = 10;
const flood = 1000;

const eventSchema = z.object({
  /** By the host's clock, as rasdaemon writes it. */
  timestamp: z.string().refine((text) => timeOf(text) !== null),
  component: z.string().max(160),
  count: z.int().min(0),
  corrected: z.union([z.literal(0), z.literal(1)]),
});
const eventsSchema = z.array(eventSchema).max(5000);
type RasEvent = z.infer<typeof eventSchema>;

/**
 * The newest of each kind, and of those that could not be corrected apart: a flood of the others does not hide them. Bit 61 of a machine
 * check's status says that it was not corrected (Intel SDM 3B 15.3.2.2, AMD APM 2 9.3.2.1).
 */
const reader = `
process.on("uncaughtException", ({ message }) => {
  process.stderr.write(String(message).slice(0, 300));
  process.exit(1);
});
const { DatabaseSync } = require("node:sqlite");
const db = new DatabaseSync(process.argv[1], { readOnly: true, timeout: 2000 });
const has = (table) => db.prepare("select 1 from sqlite_master where type = 'table' and name = ?").get(table) !== undefined;
const newest = (select, corrected, limit) =>
  db.prepare("select * from (" + select + ") where corrected = " + corrected + " order by id desc limit " + limit).all();
const both = (select) => [...newest(select, 0, 200), ...newest(select, 1, 2000)];
const memory = "select id, timestamp, coalesce(err_count, 1) as count, err_type = 'Corrected' as corrected," +
  " case when coalesce(label, '') in ('', 'unknown label', 'any memory') then 'memory controller mc' || coalesce(mc, 0)" +
  " else 'memory module ' || substr(label, 1, 120) end as component" +
  " from mc_event where err_type in ('Corrected', 'Uncorrected', 'Fatal')";
const checks = "select id, timestamp, 1 as count, ((status >> 61) & 1) = 0 as corrected," +
  " 'processor ' || coalesce(socketid, 0) || ', ' || coalesce(nullif(substr(bank_name, 1, 100), ''), 'bank ' || coalesce(bank, 0)) as component" +
  " from mce_record";
if (!has("mc_event") && !has("mce_record")) throw new Error("the database has none of its tables");
const rows = [...(has("mc_event") ? both(memory) : []), ...(has("mce_record") ? both(checks) : [])];
process.stdout.write(JSON.stringify(rows));
`;

interface Clock {
  nowMs: () => number;
  bootedMs: () => number;
}
const ownClock: Clock = { nowMs: Date.now, bootedMs: () => Date.now() - uptime() * 1000 };

export class RasEvents implements HealthSource {
  readonly name = "rasdaemon";
  readonly #database: string;
  readonly #clock: Clock;
  /** As they were read last, and which file that was. */
  #last: { version: string; events: RasEvent[] } | null = null;

  constructor(database = "/var/lib/rasdaemon/ras-mc_event.db", clock: Clock = ownClock) {
    this.#database = database;
    this.#clock = clock;
  }

  async look(): Promise<Symptom[]> {
    const found = statSync(this.#database, { throwIfNoEntry: false });
    if (found === undefined)
      throw new SourceAbsent("rasdaemon has recorded nothing here (apt install rasdaemon)");
    const version = `${String(found.ino)} ${String(found.size)} ${String(found.mtimeMs)}`;
    if (this.#last?.version !== version) this.#last = { version, events: await this.#read() };
    return judge(this.#last.events, this.#clock);
  }

  async #read(): Promise<RasEvent[]> {
    const { stdout } = await run(process.execPath, ["--eval", reader, this.#database], {
      what: "reading what rasdaemon has recorded",
    });
    const parsed = eventsSchema.safeParse(JSON.parse(stdout));
    if (!parsed.success) throw new Error("rasdaemon's database holds something other than it is known to");
    return parsed.data;
  }
}

function judge(events: readonly RasEvent[], clock: Clock): Symptom[] {
  const [nowMs, bootedMs] = [clock.nowMs(), clock.bootedMs()];
  const counts = new Map<string, { corrected: number; uncorrected: number }>();
  for (const { timestamp, component, count, corrected } of events) {
    const atMs = timeOf(timestamp);
    if (atMs === null || atMs < bootedMs) continue;
    const of = counts.get(component) ?? { corrected: 0, uncorrected: 0 };
    if (corrected === 0) of.uncorrected += Math.max(1, count);
    // What a clock that was ahead has written is not of this hour.
    else if (Math.abs(nowMs - atMs) < hourMs) of.corrected += count;
    counts.set(component, of);
  }
  return [...counts].flatMap(([component, { corrected, uncorrected }]): Symptom[] => {
    if (uncorrected > 0) {
      const evidence = `it had ${String(uncorrected)} errors since the boot that could not be corrected`;
      return [{ component, state: "severe", evidence }];
    }
    if (corrected < often) return [];
    const evidence = `it had ${String(corrected)} corrected errors within the hour`;
    return [{ component, state: corrected >= flood ? "severe" : "moderate", evidence }];
  });
}

/** `2026-11-29 13:05:00 +0100`; null: it is something else. */
function timeOf(text: string): number | null {
  const [, day, time, hours, minutes] =
    /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) ([+-]\d\d)(\d\d)$/.exec(text) ?? [];
  const ms =
    day === undefined ? Number.NaN : Date.parse(`${day}T${time ?? ""}${hours ?? ""}:${minutes ?? ""}`);
  return Number.isNaN(ms) ? null : ms;
}
