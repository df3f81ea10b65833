/**
 * Memory errors and machine checks as rasdaemon records them in its database, from the kernel's trace events: also those that no EDAC driver
 * counts, as of caches and interconnects. What could not be corrected since the boot is severe; corrected ones count as often as they come.
 * The database is read by a program of its own, and only after rasdaemon wrote to it. What a clock that was wrong has dated is placed by its number.
 */
import { statSync } from "node:fs";
import { uptime } from "node:os";
import { run } from "@godwit/system";
import { z } from "zod";
import { bootId } from "../commands/host-commands.ts";
import { SourceAbsent, type HealthSource, type Symptom } from "./health-source.ts";
import {
  rasOrder,
  rasTables,
  readRasOrder,
  writeRasOrder,
  type RasNumbers,
  type RasOrder,
} from "./ras-order.ts";

const hourMs = 3_600_000;
/** Corrected ones of a component within an hour. */
const often = 10;
const flood = 1000;
/** Clocks of hosts are set by so much now and then. */
const toleranceMs = 300_000;

const eventSchema = z.object({
  kind: z.enum(rasTables),
  id: z.int().min(0),
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
const memory = "select 'mc_event' as kind, id, timestamp, coalesce(err_count, 1) as count, err_type = 'Corrected' as corrected," +
  " case when coalesce(label, '') in ('', 'unknown label', 'any memory') then 'memory controller mc' || coalesce(mc, 0)" +
  " else 'memory module ' || substr(label, 1, 120) end as component" +
  " from mc_event where err_type in ('Corrected', 'Uncorrected', 'Fatal')";
const checks = "select 'mce_record' as kind, id, timestamp, 1 as count, ((status >> 61) & 1) = 0 as corrected," +
  " 'processor ' || coalesce(socketid, 0) || ', ' || coalesce(nullif(substr(bank_name, 1, 100), ''), 'bank ' || coalesce(bank, 0)) as component" +
  " from mce_record";
if (!has("mc_event") && !has("mce_record")) throw new Error("the database has none of its tables");
const rows = [...(has("mc_event") ? both(memory) : []), ...(has("mce_record") ? both(checks) : [])];
process.stdout.write(JSON.stringify(rows));
`;

interface Clock {
  nowMs: () => number;
  bootedMs: () => number;
  bootId: () => Promise<string>;
}
const ownClock: Clock = { nowMs: Date.now, bootedMs: () => Date.now() - uptime() * 1000, bootId };

export interface RasPlaces {
  /** Where rasdaemon writes. */
  database: string;
  /** What is kept of the order of its rows. */
  order: string;
}

export class RasEvents implements HealthSource {
  readonly name = "rasdaemon";
  readonly #places: RasPlaces;
  readonly #clock: Clock;
  /** As they were read last, and which file that was. */
  #last: { version: string; events: RasEvent[] } | null = null;
  /** Undefined: not read yet. */
  #order: RasOrder | null | undefined;
  #isKept = true;
  /** When rows were seen first that came since somebody looked before, by a clock that is never set. */
  readonly #cameMs = new Map<string, number>();

  constructor(places: RasPlaces, clock: Clock = ownClock) {
    this.#places = places;
    this.#clock = clock;
  }

  async look(nowMs: number): Promise<Symptom[]> {
    const { database } = this.#places;
    const found = statSync(database, { throwIfNoEntry: false });
    if (found === undefined)
      throw new SourceAbsent("rasdaemon has recorded nothing here (apt install rasdaemon)");
    const version = `${String(found.ino)} ${String(found.size)} ${String(found.mtimeMs)}`;
    if (this.#last?.version !== version) this.#last = { version, events: await this.#read() };
    const { events } = this.#last;
    const order = await this.#place(events, nowMs);
    return judge(events, {
      ...{ nowMs: this.#clock.nowMs(), bootedMs: this.#clock.bootedMs(), order },
      cameWithinHour: (event) => nowMs - (this.#cameMs.get(keyOf(event)) ?? -Infinity) < hourMs,
    });
  }

  async #read(): Promise<RasEvent[]> {
    const { stdout } = await run(process.execPath, ["--eval", reader, this.#places.database], {
      what: "reading what rasdaemon has recorded",
    });
    const parsed = eventsSchema.safeParse(JSON.parse(stdout));
    if (!parsed.success) throw new Error("rasdaemon's database holds something other than it is known to");
    return parsed.data;
  }

  async #place(events: readonly RasEvent[], nowMs: number): Promise<RasOrder> {
    this.#order ??= await readRasOrder(this.#places.order);
    const before = this.#order;
    const order = rasOrder(before, await this.#clock.bootId(), newestOf(events));
    const keys = new Set(events.map(keyOf));
    for (const key of this.#cameMs.keys()) if (!keys.has(key)) this.#cameMs.delete(key);
    for (const event of events)
      if (before !== null && event.id > before.seen[event.kind]) this.#cameMs.set(keyOf(event), nowMs);
    if (JSON.stringify(before) !== JSON.stringify(order)) this.#isKept = false;
    this.#order = order;
    // Where it cannot be written rows are placed by their dates after the next boot, and it is tried again.
    if (!this.#isKept)
      this.#isKept = await writeRasOrder(this.#places.order, order).then(
        () => true,
        () => false,
      );
    return order;
  }
}

const keyOf = ({ kind, id }: RasEvent): string => `${kind} ${String(id)}`;

function newestOf(events: readonly RasEvent[]): RasNumbers {
  const newest = { mc_event: 0, mce_record: 0 };
  for (const { kind, id } of events) newest[kind] = Math.max(newest[kind], id);
  return newest;
}

interface Placing {
  /** By the host's clock. */
  nowMs: number;
  bootedMs: number;
  order: RasOrder;
  cameWithinHour: (event: RasEvent) => boolean;
}

function judge(events: readonly RasEvent[], placing: Placing): Symptom[] {
  const counts = new Map<string, { corrected: number; uncorrected: number; misdated: string | null }>();
  for (const event of events) {
    const { component, count, corrected, timestamp } = event;
    const place = placeOf(event, placing);
    if (place === null) continue;
    const of = counts.get(component) ?? { corrected: 0, uncorrected: 0, misdated: null };
    if (corrected === 0) of.uncorrected += Math.max(1, count);
    else if (place.isOfThisHour) of.corrected += count;
    if (place.isMisdated && (corrected === 0 || place.isOfThisHour)) of.misdated ??= timestamp;
    counts.set(component, of);
  }
  return [...counts].flatMap(([component, { corrected, uncorrected, misdated }]): Symptom[] => {
    const dated = misdated === null ? "" : `, of which a clock that was wrong has dated one ${misdated}`;
    if (uncorrected > 0) {
      const evidence = `it had ${String(uncorrected)} errors since the boot that could not be corrected${dated}`;
      return [{ component, state: "severe", evidence }];
    }
    if (corrected < often) return [];
    const evidence = `it had ${String(corrected)} corrected errors within the hour${dated}`;
    return [{ component, state: corrected >= flood ? "severe" : "moderate", evidence }];
  });
}

/** Null: it is of before the boot. What is dated in the future, and may be of before, counts until the next boot: then it is known. */
function placeOf(
  event: RasEvent,
  { nowMs, bootedMs, order, cameWithinHour }: Placing,
): { isOfThisHour: boolean; isMisdated: boolean } | null {
  const { kind, id, timestamp } = event;
  const atMs = timeOf(timestamp) ?? nowMs;
  const isOfThisBoot = id > order.start[kind];
  if (id <= order.before[kind] || (!isOfThisBoot && atMs < bootedMs)) return null;
  const isMisdated = atMs > nowMs + toleranceMs || atMs < bootedMs - toleranceMs;
  return { isMisdated, isOfThisHour: isMisdated ? cameWithinHour(event) : nowMs - atMs < hourMs };
}

/** `2026-11-29 13:05:00 +0100`; null: it is something else. */
function timeOf(text: string): number | null {
  const [, day, time, hours, minutes] =
    /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) ([+-]\d\d)(\d\d)$/.exec(text) ?? [];
  const ms =
    day === undefined ? Number.NaN : Date.parse(`${day}T${time ?? ""}${hours ?? ""}:${minutes ?? ""}`);
  return Number.isNaN(ms) ? null : ms;
}
