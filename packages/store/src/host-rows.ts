/** Hosts as they are read: whole, and what lists show of them. */
import type {
  Finding,
  HostFacts,
  HostLoad,
  HostPower,
  HostSummary,
  Maintenance,
  PageRequest,
} from "@godwit/contract";
import { sql } from "kysely";
import type { FactParts } from "./fact-parts.ts";
import { powersOf } from "./host-power.ts";
import type { Queries } from "./schema.ts";

export interface HostRow {
  name: string;
  agentUrl: string;
  /** What its certificates carry. */
  memberId: string;
  /** The number of the earliest of them that counts. */
  certificateInUse: number;
  /** When the one that it was given last ends; null: not known. */
  certificateEndsAt: Date | null;
  joinedAt: Date;
  seenAt: Date | null;
  unreachableReason: string | null;
  maintenance: Maintenance;
  /** What it is, as it was last reported. */
  facts: HostFacts | null;
  /** What it did when it last answered. */
  load: HostLoad | null;
  pool: string | null;
  /** What an operator should know of it. */
  alarms: Finding[];
  /** What all its moves together may use of its link, bytes per second; null: what that gives. */
  moveBandwidth: number | null;
  /** Null: the server does not control its power. */
  power: HostPower | null;
}

/** What a host is entered with. */
export type JoiningHost = Pick<HostRow, "name" | "agentUrl" | "memberId" | "certificateEndsAt">;

/** How it is reached, and known. */
export type ConnectedHost = JoiningHost & Pick<HostRow, "certificateInUse">;

/** One, those after a name, or all; in order of their names. */
export async function hostRows(
  db: Queries,
  parts: FactParts,
  which: { name?: string; after?: string | undefined; limit?: number } = {},
): Promise<HostRow[]> {
  const { name, after, limit } = which;
  let query = db
    .selectFrom("hosts")
    .leftJoin("host_facts", "host_facts.host", "hosts.name")
    .leftJoin("host_loads", "host_loads.host", "hosts.name")
    .selectAll("hosts")
    .select(["host_facts.facts", "host_facts.parts", "host_loads.load"])
    .orderBy("name");
  if (name !== undefined) query = query.where("name", "=", name);
  if (after !== undefined) query = query.where("name", ">", after);
  if (limit !== undefined) query = query.limit(limit);
  const rows = await query.execute();
  const facts = await parts.complete(db, rows);
  const powers = await powersOf(
    db,
    rows.map((row) => row.name),
  );
  return rows.map((row, index) => ({
    name: row.name,
    agentUrl: row.agent_url,
    memberId: row.member_id,
    certificateInUse: row.certificate_in_use,
    certificateEndsAt: row.certificate_ends_at,
    joinedAt: row.joined_at,
    seenAt: row.seen_at,
    unreachableReason: row.unreachable_reason,
    maintenance: row.maintenance,
    facts: facts[index] ?? null,
    load: row.load,
    pool: row.pool,
    alarms: row.alarms,
    moveBandwidth: row.move_bandwidth,
    power: powers.get(row.name) ?? null,
  }));
}

/** Whether it is connected is not written down. */
export type HostSummaryRow = Omit<HostSummary, "state" | "seenAt"> & {
  seenAt: Date | null;
  power: HostPower | null;
};

/** One more than the page's limit where there are more. The database reads the documents, and sends what is shown. */
export async function hostSummaries(db: Queries, { limit, cursor }: PageRequest): Promise<HostSummaryRow[]> {
  const { rows } = await sql<HostSummaryRow>`
    select
      hosts.name, maintenance, pool, alarms, seen_at as "seenAt",
      facts->>'agentVersion' as "agentVersion",
      coalesce(qemu.part, facts->'qemu')->>'version' as "qemuVersion",
      coalesce(qemu.part, facts->'qemu')->>'accelerator' as accelerator,
      (facts->'cpu'->>'logicalCpus')::int as "logicalCpus",
      (load->'cpu'->>'usedCpus')::float8 as "usedCpus",
      (load->'memory'->>'availableBytes')::float8 as "availableBytes",
      jsonb_array_length(jsonb_path_query_array(load, '$.vms[*] ? (@.pid != null)')) as "runningVms"
    from hosts
      left join host_facts on host_facts.host = hosts.name
      left join fact_parts qemu on qemu.digest = host_facts.parts->>'qemu'
      left join host_loads on host_loads.host = hosts.name
    where ${cursor ?? null}::text is null or hosts.name > ${cursor ?? null}
    order by hosts.name limit ${limit + 1}`.execute(db);
  const powers = await powersOf(
    db,
    rows.map(({ name }) => name),
  );
  return rows.map((row) => ({ ...row, power: powers.get(row.name) ?? null }));
}
