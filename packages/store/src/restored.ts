/**
 * A database that was read from a backup knows the world as it was then. Before a server works with it, all that it could
 * act on by mistake is taken out, in one transaction: tasks under way are ended, VMs that ran are lost until a host tells
 * where they are, tokens count no more, and every number that others have heard of goes ahead of what they heard.
 */
import { GodwitError } from "@godwit/contract";
import type pg from "pg";
import { withClient } from "./dump.ts";

/** More than a cluster makes in the time between two backups, and less than what hosts refuse as another cluster's. */
const lead = 100_000;

/** What an operator has to look at. */
export interface RestoredState {
  hosts: string[];
  vms: number;
  /** What was under way when the backup was made. */
  interrupted: { id: string; kind: string; subject: string }[];
}

/** @param madeAt of the backup */
export async function settleRestored(connection: pg.ClientConfig, madeAt: Date): Promise<RestoredState> {
  return await withClient(connection, async (client) => {
    await client.query("begin");
    const state = await settle(client, madeAt);
    await client.query("commit");
    return state;
  });
}

async function settle(client: pg.Client, madeAt: Date): Promise<RestoredState> {
  const error = GodwitError.of("TASK_BEFORE_RESTORE", { madeAt: madeAt.toISOString() }).problem;
  const { rows: interrupted } = await client.query<{ id: string; kind: string; subject: string }>(
    `update tasks set state = 'failed', ended_at = clock_timestamp(), revision = revision + 1,
       body = body || jsonb_build_object('error', $1::jsonb, 'waitingFor', null, 'cancellable', false)
     where ended_at is null returning id, kind, subject_name as subject`,
    [JSON.stringify(error)],
  );
  // Each statement is complete in itself; the order does not matter.
  const statements = [
    "delete from task_locks",
    "delete from join_tokens",
    "update vms set state = 'lost', pause_reason = null, seen_at = clock_timestamp() where state not in ('stopped', 'lost')",
    "update hosts set maintenance = 'off' where maintenance = 'entering'",
    // Of a host that was being powered off or on then its agent tells, or its controller.
    "update host_power set state = null, state_since = null, state_pool = null where state in ('stopping', 'waking')",
    // What hosts reported then is no report.
    "delete from host_loads",
    "update hosts set seen_at = null, unreachable_reason = null, alarms = default",
    // What was defined since is known to the hosts.
    "update hosts set datastores_known = false, networks_known = false",
    `update leases set version = version + ${String(lead)}`,
    `update membership set generation = generation + ${String(lead)}`,
    `update writer_generation set generation = generation + ${String(lead)}`,
    // Clients that followed events hear of the next ones: no number is used twice.
    `select setval(pg_get_serial_sequence('events', 'id'), (select coalesce(max(id), 1) from events) + ${String(lead)})`,
  ];
  for (const statement of statements) await client.query(statement);
  const { rows: hosts } = await client.query<{ name: string }>("select name from hosts order by name");
  const { rows: vms } = await client.query<{ count: string }>("select count(*) as count from vms");
  return { hosts: hosts.map(({ name }) => name), vms: Number(vms[0]?.count), interrupted };
}
