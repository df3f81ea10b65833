/** What rasdaemon has recorded, from databases as it makes them. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RasEvents } from "../src/health/ras-events.ts";
import { SourceAbsent } from "../src/health/health-source.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ras-"));
  boot = "first";
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});
const path = () => join(folder, "ras-mc_event.db");
const clock = {
  nowMs: () => Date.parse("2026-11-29T12:00:00Z"),
  bootedMs: () => Date.parse("2026-11-29T08:00:00Z"),
  bootId: () => Promise.resolve(boot),
};
let boot = "first";
const source = () => new RasEvents({ database: path(), order: join(folder, "rasdaemon.json") }, clock);
const told = async (one: RasEvents, nowMs = 0) =>
  (await one.look(nowMs))
    .map(({ component, state, evidence }) => `${state} ${component}: ${evidence}`)
    .sort();

/** The tables of rasdaemon 0.6.8 (ras-record.c), as far as they are read. */
function rasdaemon(): DatabaseSync {
  const database = new DatabaseSync(path());
  database.exec(
    `create table if not exists mc_event (id INTEGER PRIMARY KEY, timestamp TEXT, err_count INTEGER, err_type TEXT, err_msg TEXT,
       label TEXT, mc INTEGER, top_layer INTEGER, middle_layer INTEGER, lower_layer INTEGER, address INTEGER, grain INTEGER,
       syndrome INTEGER, driver_detail TEXT);
     create table if not exists mce_record (id INTEGER PRIMARY KEY, timestamp TEXT, mcgcap INTEGER, mcgstatus INTEGER, status INTEGER,
       cpu INTEGER, socketid INTEGER, bank INTEGER, bank_name TEXT, error_msg TEXT, mcistatus_msg TEXT)`,
  );
  return database;
}
function memory(database: DatabaseSync, at: string, count: number, type: string, label: string): void {
  database
    .prepare("insert into mc_event (timestamp, err_count, err_type, label, mc) values (?, ?, ?, ?, 0)")
    .run(at, count, type, label);
}
const corrected = 0x8c00004000010090n;
const uncorrected = 0xbe00000000800400n;
function check(database: DatabaseSync, at: string, status: bigint, bank: string): void {
  database
    .prepare("insert into mce_record (timestamp, status, socketid, bank, bank_name) values (?, ?, 1, 7, ?)")
    .run(at, BigInt.asIntN(64, status), bank);
}

test("where rasdaemon records nothing, that is said", async () => {
  await expect(source().look(0)).rejects.toThrow(SourceAbsent);
});

test("corrected errors when they come often, uncorrected ones since the boot; what was before is history", async () => {
  using database = rasdaemon();
  const one = source();
  memory(database, "2026-11-29 07:59:00 +0000", 1, "Uncorrected", "DIMM_A1");
  memory(database, "2026-11-29 12:50:00 +0100", 9, "Corrected", "DIMM_A1");
  memory(database, "2026-11-29 10:00:00 +0000", 500, "Corrected", "DIMM_A2");
  expect(await told(one)).toEqual([]);
  memory(database, "2026-11-29 12:55:00 +0100", 1, "Corrected", "DIMM_A1");
  memory(database, "2026-11-29 11:55:00 +0000", 2000, "Corrected", "unknown label");
  memory(database, "2026-11-29 08:30:00 +0000", 1, "Fatal", "DIMM_B1");
  expect(await told(one)).toEqual([
    "moderate memory module DIMM_A1: it had 10 corrected errors within the hour",
    "severe memory controller mc0: it had 2000 corrected errors within the hour",
    "severe memory module DIMM_B1: it had 1 errors since the boot that could not be corrected",
  ]);
});

test("corrected errors that a clock that was ahead has dated count from when they came; what was there before somebody looked does not", async () => {
  using database = rasdaemon();
  memory(database, "2027-11-29 11:55:00 +0000", 2000, "Corrected", "DIMM_A1");
  memory(database, "2026-11-29 12:00:30 +0000", 10, "Corrected", "DIMM_A2");
  const right = "moderate memory module DIMM_A2: it had 10 corrected errors within the hour";
  const one = source();
  expect(await told(one)).toEqual([right]);
  memory(database, "2027-11-29 11:56:00 +0000", 12, "Corrected", "DIMM_A1");
  const late =
    "moderate memory module DIMM_A1: it had 12 corrected errors within the hour, of which a clock that was wrong has dated one 2027-11-29 11:56:00 +0000";
  expect(await told(one, 1000)).toEqual([late, right]);
  expect(await told(one, 3_601_000)).toEqual([right]);
});

test("an error that could not be corrected counts until the next boot, however far in the future it is dated, and is then history", async () => {
  using database = rasdaemon();
  memory(database, "2031-01-01 00:00:00 +0000", 1, "Uncorrected", "DIMM_B1");
  const severe =
    "severe memory module DIMM_B1: it had 1 errors since the boot that could not be corrected, of which a clock that was wrong has dated one 2031-01-01 00:00:00 +0000";
  expect(await told(source())).toEqual([severe]);
  expect(await told(source())).toEqual([severe]);
  boot = "second";
  expect(await told(source())).toEqual([]);
  // One that came after the agent had looked last is of this boot for all that is known.
  memory(database, "2031-01-01 00:00:00 +0000", 1, "Uncorrected", "DIMM_B1");
  boot = "third";
  expect(await told(source())).toEqual([severe]);
  boot = "fourth";
  expect(await told(source())).toEqual([]);
});

test("what comes while the agent looks is of this boot, also where a clock that is behind dates it", async () => {
  using database = rasdaemon();
  memory(database, "1970-01-01 00:10:00 +0000", 1, "Fatal", "DIMM_A1");
  const one = source();
  expect(await told(one)).toEqual([]);
  memory(database, "1970-01-01 00:20:00 +0000", 1, "Fatal", "DIMM_B1");
  const severe =
    "severe memory module DIMM_B1: it had 1 errors since the boot that could not be corrected, of which a clock that was wrong has dated one 1970-01-01 00:20:00 +0000";
  expect(await told(one)).toEqual([severe]);
  expect(await told(source())).toEqual([severe]);
});

test("a database that was made again, and an order that cannot be kept or read, hide nothing", async () => {
  {
    using database = rasdaemon();
    for (let count = 0; count < 3; count += 1)
      memory(database, "2026-11-29 07:00:00 +0000", 1, "Fatal", "DIMM_A1");
    expect(await told(source())).toEqual([]);
  }
  await rm(path());
  boot = "next";
  using database = rasdaemon();
  memory(database, "2026-11-29 09:00:00 +0000", 1, "Fatal", "DIMM_B1");
  const severe = "severe memory module DIMM_B1: it had 1 errors since the boot that could not be corrected";
  expect(await told(source())).toEqual([severe]);
  await writeFile(join(folder, "rasdaemon.json"), "{");
  expect(await told(source())).toEqual([severe]);
  await rm(join(folder, "rasdaemon.json"));
  await mkdir(join(folder, "rasdaemon.json"));
  expect(await told(source())).toEqual([severe]);
});

test("machine checks count by their bank, and by what their status says", async () => {
  using database = rasdaemon();
  for (let count = 0; count < 12; count += 1)
    check(database, "2026-11-29 11:50:00 +0000", corrected, "L2 cache");
  check(database, "2026-11-29 09:00:00 +0000", uncorrected, "");
  expect(await told(source())).toEqual([
    "moderate processor 1, L2 cache: it had 12 corrected errors within the hour",
    "severe processor 1, bank 7: it had 1 errors since the boot that could not be corrected",
  ]);
});

test("a flood of corrected errors hides none that could not be corrected", async () => {
  using database = rasdaemon();
  memory(database, "2026-11-29 09:00:00 +0000", 1, "Uncorrected", "DIMM_B1");
  database.exec("begin");
  for (let count = 0; count < 6000; count += 1)
    memory(database, "2026-11-29 11:50:00 +0000", 1, "Corrected", "DIMM_A1");
  database.exec("commit");
  expect(await told(source())).toEqual([
    "severe memory module DIMM_A1: it had 2000 corrected errors within the hour",
    "severe memory module DIMM_B1: it had 1 errors since the boot that could not be corrected",
  ]);
});

test("what cannot be read, or is not known, is a failure to look and not a healthy host", async () => {
  await writeFile(path(), "x".repeat(4096));
  await expect(source().look(0)).rejects.toMatchObject({
    code: "PROGRAM_FAILED",
    message: expect.stringMatching(/rasdaemon.*: file is not a database\.?$/) as string,
  });
  await rm(path());
  {
    using database = new DatabaseSync(path());
    database.exec("create table other (id integer)");
    await expect(source().look(0)).rejects.toThrow("the database has none of its tables");
  }
  await rm(path());
  using database = rasdaemon();
  memory(database, "29.11.2026 11:55", 1, "Uncorrected", "DIMM_A1");
  await expect(source().look(0)).rejects.toThrow("something other than it is known to");
});
