/** What hosts report, written down: what they are, and what they do now. */
import { isDeepStrictEqual } from "node:util";
import type { Finding, HostFacts, HostLoad, NewEvent, ServerEvent } from "@godwit/contract";
import { sql } from "kysely";
import { emit, emitAll } from "./events.ts";
import type { FactParts } from "./fact-parts.ts";
import { enterState } from "./host-power.ts";
import type { Writes } from "./schema.ts";

/** What a host does, as it was reported now. */
export interface SeenHost {
  name: string;
  load: HostLoad;
  /** What an operator should know of it now. */
  alarms: Finding[];
}

/** What a host is; a change is an event that names the parts that changed. @returns the facts, sharing what other hosts have too */
export async function writeFacts(
  tx: Writes,
  known: FactParts,
  name: string,
  facts: HostFacts,
): Promise<HostFacts> {
  const row = await tx
    .selectFrom("host_facts")
    .select(["facts", "parts"])
    .where("host", "=", name)
    .executeTakeFirst();
  const [before = null] = row === undefined ? [] : await known.complete(tx, [row]);
  const { facts: rest, parts: digests, shared } = await known.enter(tx, facts);
  const parts = changedParts(before, shared);
  if (parts.length === 0) return shared;
  const written = {
    facts: JSON.stringify(rest),
    parts: JSON.stringify(digests),
    changed_at: sql<Date>`clock_timestamp()`,
  };
  await tx
    .insertInto("host_facts")
    .values({ host: name, ...written })
    .onConflict((conflict) => conflict.column("host").doUpdateSet(written))
    .execute();
  await emit(tx, { type: "host.factsChanged", subject: { kind: "host", id: name }, data: { parts } });
  return shared;
}

/** They answered: all are written at once. A change of a host's alarms is an event; one that was removed meanwhile is passed over. */
export async function writeSeen(tx: Writes, seen: readonly SeenHost[]): Promise<void> {
  const byName = new Map(seen.map((host) => [host.name, host]));
  const before = await tx
    .selectFrom("hosts")
    .select(["name", "unreachable_reason", "alarms"])
    .where(sql<boolean>`name = any(${[...byName.keys()]}::text[])`)
    .orderBy("name")
    .forUpdate()
    .execute();
  const rows = before.flatMap((row) => {
    const host = byName.get(row.name);
    return host === undefined ? [] : [{ row, host, isNews: textOf(row.alarms) !== textOf(host.alarms) }];
  });
  const names = before.map(({ name }) => name);
  await wakeAnswering(tx, before);
  await tx
    .updateTable("hosts")
    .set({ seen_at: sql<Date>`clock_timestamp()`, unreachable_reason: null })
    .where(sql<boolean>`name = any(${names}::text[])`)
    .execute();
  const loads = JSON.stringify(rows.map(({ host: { name, load } }) => ({ host: name, load })));
  await sql`
    insert into host_loads (host, load)
    select host, load from jsonb_to_recordset(${loads}::jsonb) as report (host text, load jsonb) order by host
    on conflict (host) do update set load = excluded.load`.execute(tx);
  for (const { host } of rows.filter(({ isNews }) => isNews)) {
    const alarms = JSON.stringify(host.alarms);
    await tx.updateTable("hosts").set({ alarms }).where("name", "=", host.name).execute();
  }
  const events = rows.flatMap(({ row, host, isNews }): NewEvent<ServerEvent>[] => {
    const subject = { kind: "host" as const, id: host.name };
    return [
      ...(isNews ? [{ type: "host.alarmsChanged" as const, subject, data: { alarms: host.alarms } }] : []),
      ...(row.unreachable_reason === null ? [] : [{ type: "host.returned" as const, subject, data: {} }]),
    ];
  });
  await emitAll(tx, events);
}

/** Whoever answers again is not off. A report that was on its way when the host went off is no answer. */
async function wakeAnswering(
  tx: Writes,
  seen: readonly { name: string; unreachable_reason: string | null }[],
): Promise<void> {
  const names = seen.map(({ name }) => name);
  const asleep = await tx
    .selectFrom("host_power")
    .select(["host", sql<boolean>`state_since < clock_timestamp() - interval '1 minute'`.as("isSettled")])
    .where("state", "=", "standby")
    .where(sql<boolean>`host = any(${names}::text[])`)
    .execute();
  for (const { host, isSettled } of asleep) {
    const row = seen.find(({ name }) => name === host);
    if (isSettled || row?.unreachable_reason != null) await enterState(tx, host, null, null);
  }
}

const textOf = (alarms: readonly Finding[]): string => alarms.map(({ message }) => message).join("\n");

/** The members that differ, `reportedAt` aside; sorted. */
export function changedParts(before: HostFacts | null, after: HostFacts): string[] {
  const { reportedAt: _, ...parts } = after;
  return Object.entries(parts)
    .filter(([part, value]) => !isDeepStrictEqual(value, before?.[part as keyof HostFacts]))
    .map(([part]) => part)
    .sort();
}
