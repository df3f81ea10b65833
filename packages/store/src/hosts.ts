/** Hosts that have joined, and the tokens they join with. */
import { createHash, randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import {
  GodwitError,
  type Finding,
  type HostFacts,
  type HostLoad,
  type Maintenance,
  type NewEvent,
  type ServerEvent,
  type TaskId,
  type VmId,
} from "@godwit/contract";
import { sql } from "kysely";
import { isDuplicate, type Database } from "./database.ts";
import type { Queries } from "./schema.ts";
import { emit, emitAll } from "./events.ts";
import { FactParts } from "./fact-parts.ts";
import { membersChanged } from "./members.ts";
import { findReferences, removeReferences } from "./references.ts";
import { taskOn } from "./tasks.ts";

export interface HostRow {
  name: string;
  agentUrl: string;
  /** What its certificates carry. */
  memberId: string;
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
}

/** Not used and not expired. */
const mostTokens = 5000;

/** What a host is entered with. */
export type JoiningHost = Pick<HostRow, "name" | "agentUrl" | "memberId" | "certificateEndsAt">;

const hash = (secret: string): string => createHash("sha256").update(secret).digest("hex");

/** What a host does, as it was reported now. */
export interface SeenHost {
  name: string;
  load: HostLoad;
  /** What an operator should know of it now. */
  alarms: Finding[];
}

export class Hosts {
  readonly #database: Database;
  readonly #parts = new FactParts();

  /** Numbers changes of VMs' places. */
  readonly #nextChange: () => number;

  constructor(database: Database, nextChange: () => number) {
    this.#database = database;
    this.#nextChange = nextChange;
  }

  /**
   * A new token's secret; only its hash is kept. Those that have expired, or were used long ago, are removed.
   * @param rejoin the host that may join again with it; null: a new one
   * @throws TOKENS_TOO_MANY
   */
  async createToken(expiresAt: Date, rejoin: string | null = null): Promise<string> {
    const secret = randomBytes(24).toString("base64url");
    await this.#database.write(async (tx) => {
      await sql`
        delete from join_tokens where expires_at < now() - interval '1 day' or used_at < now() - interval '1 day'
      `.execute(tx);
      const { rows } = await sql<{ open: string; all: string }>`
        select count(*) filter (where used_at is null and expires_at > now()) as open, count(*) as all
        from join_tokens`.execute(tx);
      if (Number(rows[0]?.open) >= mostTokens) throw GodwitError.of("TOKENS_TOO_MANY", { most: mostTokens });
      // Of those that count no more, the oldest go first: they are kept only for a better message.
      const tooMany = Number(rows[0]?.all) - mostTokens;
      if (tooMany > 0) {
        await sql`
          delete from join_tokens where secret_hash in (
            select secret_hash from join_tokens where used_at is not null or expires_at <= now()
            order by expires_at limit ${tooMany})`.execute(tx);
      }
      await tx
        .insertInto("join_tokens")
        .values({ secret_hash: hash(secret), expires_at: expiresAt, host: rejoin })
        .execute();
    });
    return secret;
  }

  /** @throws TOKEN_INVALID; one that is valid now may have been used when the host is entered */
  async checkToken(secret: string): Promise<void> {
    const token = await this.#database.read((db) =>
      db.selectFrom("join_tokens").selectAll().where("secret_hash", "=", hash(secret)).executeTakeFirst(),
    );
    requireValid(token);
  }

  /**
   * Uses a token up and enters the host, both or neither.
   * @throws TOKEN_INVALID, HOST_EXISTS
   */
  async join(secret: string, host: JoiningHost): Promise<void> {
    await this.#database.write(async (tx) => {
      const token = await tx
        .selectFrom("join_tokens")
        .selectAll()
        .where("secret_hash", "=", hash(secret))
        .forUpdate()
        .executeTakeFirst();
      requireValid(token);
      if (token.host !== null && token.host !== host.name)
        throw GodwitError.of("TOKEN_INVALID", { reason: "of another host" });
      await tx
        .updateTable("join_tokens")
        .set({ used_at: new Date(), used_by: host.name })
        .where("secret_hash", "=", token.secret_hash)
        .execute();
      const written = {
        name: host.name,
        agent_url: host.agentUrl,
        member_id: host.memberId,
        certificate_ends_at: host.certificateEndsAt,
      };
      if (token.host === null) {
        try {
          await tx.insertInto("hosts").values(written).execute();
        } catch (error) {
          if (isDuplicate(error)) throw GodwitError.of("HOST_EXISTS", { host: host.name }, { cause: error });
          throw error;
        }
      } else {
        const { numUpdatedRows } = await tx
          .updateTable("hosts")
          .set(written)
          .where("name", "=", host.name)
          .executeTakeFirst();
        if (numUpdatedRows === 0n) throw GodwitError.of("HOST_UNKNOWN", { host: host.name, known: [] });
      }
      await membersChanged(tx);
      await emit(tx, { type: "host.joined", subject: { kind: "host", id: host.name }, data: {} });
    });
  }

  /** It was given a certificate that ends then. */
  async renewed(name: string, certificateEndsAt: Date): Promise<void> {
    await this.#database.write(async (tx) => {
      await tx
        .updateTable("hosts")
        .set({ certificate_ends_at: certificateEndsAt })
        .where("name", "=", name)
        .execute();
    });
  }

  async list(): Promise<HostRow[]> {
    return await this.#database.read((db) => this.#rows(db, null));
  }

  /** @throws HOST_UNKNOWN */
  async show(name: string): Promise<HostRow> {
    const found = await this.find(name);
    if (found !== null) return found;
    const known = (await this.connections()).map((host) => host.name);
    throw GodwitError.of("HOST_UNKNOWN", { host: name, known });
  }

  async find(name: string): Promise<HostRow | null> {
    const [found] = await this.#database.read((db) => this.#rows(db, name));
    return found ?? null;
  }

  /** How each host is reached. */
  async connections(): Promise<JoiningHost[]> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom("hosts")
        .select(["name", "agent_url", "member_id", "certificate_ends_at"])
        .orderBy("name")
        .execute(),
    );
    return rows.map((row) => ({
      name: row.name,
      agentUrl: row.agent_url,
      memberId: row.member_id,
      certificateEndsAt: row.certificate_ends_at,
    }));
  }

  /** The host that last reported a process of a VM; null: none. */
  async runnerOf(vmId: VmId): Promise<string | null> {
    const vms = JSON.stringify([{ id: vmId }]);
    const rows = await this.#database.read((db) =>
      db
        .selectFrom("host_loads")
        .selectAll()
        .where(sql<boolean>`load->'vms' @> ${vms}::jsonb`)
        .orderBy("host")
        .execute(),
    );
    // One whose process is gone is told too.
    const runs = rows.find(({ load }) => load.vms.some(({ id, pid }) => id === vmId && pid !== null));
    return runs?.host ?? null;
  }

  /** What it is; a change is an event that names the parts that changed. @returns the facts, sharing what other hosts have too */
  async reported(name: string, facts: HostFacts): Promise<HostFacts> {
    return await this.#database.write(async (tx) => {
      const row = await tx
        .selectFrom("host_facts")
        .select(["facts", "parts"])
        .where("host", "=", name)
        .executeTakeFirst();
      const [before = null] = row === undefined ? [] : await this.#parts.complete(tx, [row]);
      const { facts: rest, parts: digests, shared } = await this.#parts.enter(tx, facts);
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
    });
  }

  /** They answered: all are written at once. A change of a host's alarms is an event; one that was removed meanwhile is passed over. */
  async saw(seen: readonly SeenHost[]): Promise<void> {
    const byName = new Map(seen.map((host) => [host.name, host]));
    await this.#database.write(async (tx) => {
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
          ...(isNews
            ? [{ type: "host.alarmsChanged" as const, subject, data: { alarms: host.alarms } }]
            : []),
          ...(row.unreachable_reason === null ? [] : [{ type: "host.returned" as const, subject, data: {} }]),
        ];
      });
      await emitAll(tx, events);
    });
  }

  async lost(name: string, reason: string): Promise<void> {
    await this.#database.write(async (tx) => {
      const { numUpdatedRows } = await tx
        .updateTable("hosts")
        .set({ unreachable_reason: reason })
        .where("name", "=", name)
        .where("unreachable_reason", "is", null)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) return;
      await emit(tx, { type: "host.lost", subject: { kind: "host", id: name }, data: { reason } });
    });
  }

  /** Whether it takes VMs; setting what is so already emits no event. @throws HOST_UNKNOWN, HOST_TASK_UNDER_WAY for `off` while it is being emptied */
  async setMaintenance(name: string, maintenance: Maintenance, by: TaskId | null): Promise<void> {
    await this.#database.write(async (tx) => {
      // Tasks that bring a VM here look at the row under the same lock.
      const row = await tx
        .selectFrom("hosts")
        .select("maintenance")
        .where("name", "=", name)
        .forUpdate()
        .executeTakeFirst();
      if (row === undefined) throw GodwitError.of("HOST_UNKNOWN", { host: name, known: [] });
      const other = await taskOn(tx, { kind: "host", id: name });
      if (other !== null && other.id !== by) {
        const details = { host: name, task: other.id, what: other.description };
        throw GodwitError.of("HOST_TASK_UNDER_WAY", details);
      }
      if (row.maintenance === maintenance) return;
      await tx.updateTable("hosts").set({ maintenance }).where("name", "=", name).execute();
      await emit(tx, {
        type: "host.maintenanceChanged",
        subject: { kind: "host", id: name },
        data: { maintenance },
      });
    });
  }

  /**
   * Removes a host that nothing needs any more: its certificate counts no more.
   * @param force the operator vouches that it is powered off: VMs that ran there are lost, and may be started elsewhere
   * @throws HOST_BUSY while VMs or tasks need it
   */
  async remove(name: string, force: boolean): Promise<void> {
    await this.#database.write(async (tx) => {
      // Tasks that need it are entered under the same lock.
      await tx.selectFrom("hosts").select("name").where("name", "=", name).forUpdate().execute();
      const found = await findReferences(tx, "host", name);
      if (found.length > 0 && !force) {
        const of = (kind: string) => found.filter((one) => one.kind === kind).map((one) => one.name);
        const details = { running: of("running"), stopped: of("stopped"), tasks: of("tasks") };
        throw GodwitError.of("HOST_BUSY", { host: name, ...details });
      }
      await tx
        .updateTable("vms")
        .set({ state: "lost", changed_number: this.#nextChange() })
        .where("host", "=", name)
        .where("state", "!=", "stopped")
        .execute();
      await removeReferences(tx, "host", name);
      await tx.deleteFrom("hosts").where("name", "=", name).execute();
      await membersChanged(tx);
      await emit(tx, { type: "host.removed", subject: { kind: "host", id: name }, data: {} });
    });
  }

  async trim(): Promise<void> {
    await this.#parts.trim(this.#database);
  }

  /** @param name null: all */
  async #rows(db: Queries, name: string | null): Promise<HostRow[]> {
    const all = db
      .selectFrom("hosts")
      .leftJoin("host_facts", "host_facts.host", "hosts.name")
      .leftJoin("host_loads", "host_loads.host", "hosts.name")
      .selectAll("hosts")
      .select(["host_facts.facts", "host_facts.parts", "host_loads.load"])
      .orderBy("name");
    const rows = await (name === null ? all : all.where("name", "=", name)).execute();
    const facts = await this.#parts.complete(db, rows);
    return rows.map((row, index) => ({
      name: row.name,
      agentUrl: row.agent_url,
      memberId: row.member_id,
      certificateEndsAt: row.certificate_ends_at,
      joinedAt: row.joined_at,
      seenAt: row.seen_at,
      unreachableReason: row.unreachable_reason,
      maintenance: row.maintenance,
      facts: facts[index] ?? null,
      load: row.load,
      pool: row.pool,
      alarms: row.alarms,
    }));
  }
}

function requireValid<Token extends { used_at: Date | null; expires_at: Date }>(
  token: Token | undefined,
): asserts token is Token {
  if (token === undefined) throw GodwitError.of("TOKEN_INVALID", { reason: "unknown" });
  if (token.used_at !== null) throw GodwitError.of("TOKEN_INVALID", { reason: "used" });
  if (token.expires_at.getTime() < Date.now()) throw GodwitError.of("TOKEN_INVALID", { reason: "expired" });
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
