/** Hosts that have joined, and the tokens they join with. */
import { createHash, randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import {
  GodwitError,
  type Finding,
  type HostFacts,
  type HostLoad,
  type Maintenance,
  type TaskId,
} from "@godwit/contract";
import { isDuplicate, type Database } from "./database.ts";
import { emit } from "./events.ts";
import { fence } from "./leases.ts";
import { taskOn } from "./tasks.ts";

export interface HostRow {
  name: string;
  agentUrl: string;
  certificateFingerprint: string;
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

const hash = (secret: string): string => createHash("sha256").update(secret).digest("hex");

export class Hosts {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** A new token's secret; only its hash is kept. */
  async createToken(expiresAt: Date): Promise<string> {
    const secret = randomBytes(24).toString("base64url");
    await this.#database.write(async (tx) => {
      await tx
        .insertInto("join_tokens")
        .values({ secret_hash: hash(secret), expires_at: expiresAt })
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
  async join(
    secret: string,
    host: Pick<HostRow, "name" | "agentUrl" | "certificateFingerprint">,
  ): Promise<void> {
    await this.#database.write(async (tx) => {
      const token = await tx
        .selectFrom("join_tokens")
        .selectAll()
        .where("secret_hash", "=", hash(secret))
        .forUpdate()
        .executeTakeFirst();
      requireValid(token);
      await tx
        .updateTable("join_tokens")
        .set({ used_at: new Date(), used_by: host.name })
        .where("secret_hash", "=", token.secret_hash)
        .execute();
      try {
        await tx
          .insertInto("hosts")
          .values({
            name: host.name,
            agent_url: host.agentUrl,
            certificate_fingerprint: host.certificateFingerprint,
          })
          .execute();
      } catch (error) {
        if (isDuplicate(error)) throw GodwitError.of("HOST_EXISTS", { host: host.name }, { cause: error });
        throw error;
      }
      await emit(tx, { type: "host.joined", subject: { kind: "host", id: host.name }, data: {} });
    });
  }

  async list(): Promise<HostRow[]> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom("hosts")
        .leftJoin("host_facts", "host_facts.host", "hosts.name")
        .leftJoin("host_loads", "host_loads.host", "hosts.name")
        .selectAll("hosts")
        .select(["host_facts.facts", "host_loads.load"])
        .orderBy("name")
        .execute(),
    );
    return rows.map((row) => ({
      name: row.name,
      agentUrl: row.agent_url,
      certificateFingerprint: row.certificate_fingerprint,
      joinedAt: row.joined_at,
      seenAt: row.seen_at,
      unreachableReason: row.unreachable_reason,
      maintenance: row.maintenance,
      facts: row.facts,
      load: row.load,
      pool: row.pool,
      alarms: row.alarms,
    }));
  }

  /** @throws HOST_UNKNOWN */
  async show(name: string): Promise<HostRow> {
    const hosts = await this.list();
    const found = hosts.find((host) => host.name === name);
    if (found === undefined) {
      throw GodwitError.of("HOST_UNKNOWN", { host: name, known: hosts.map((host) => host.name) });
    }
    return found;
  }

  /** What it is; a change is an event that names the parts that changed. */
  async reported(name: string, facts: HostFacts): Promise<void> {
    await this.#database.write(async (tx) => {
      const before = await tx
        .selectFrom("host_facts")
        .select("facts")
        .where("host", "=", name)
        .executeTakeFirst();
      const parts = changedParts(before?.facts ?? null, facts);
      if (parts.length === 0) return;
      const written = { facts: JSON.stringify(facts), changed_at: new Date() };
      await tx
        .insertInto("host_facts")
        .values({ host: name, ...written })
        .onConflict((conflict) => conflict.column("host").doUpdateSet(written))
        .execute();
      await emit(tx, { type: "host.factsChanged", subject: { kind: "host", id: name }, data: { parts } });
    });
  }

  /** It answered. @param alarms what an operator should know of it now; a change of that is an event */
  async saw(name: string, load: HostLoad, alarms: Finding[]): Promise<void> {
    await this.#database.write(async (tx) => {
      const before = await tx
        .selectFrom("hosts")
        .select(["unreachable_reason", "alarms"])
        .where("name", "=", name)
        .executeTakeFirst();
      await tx
        .updateTable("hosts")
        .set({
          seen_at: new Date(),
          unreachable_reason: null,
          alarms: JSON.stringify(alarms),
        })
        .where("name", "=", name)
        .execute();
      if (before === undefined) return; // removed meanwhile
      const written = { load: JSON.stringify(load) };
      await tx
        .insertInto("host_loads")
        .values({ host: name, ...written })
        .onConflict((conflict) => conflict.column("host").doUpdateSet(written))
        .execute();
      const textOf = (list: readonly Finding[]) => list.map(({ message }) => message).join("\n");
      if (textOf(before.alarms) !== textOf(alarms)) {
        await emit(tx, { type: "host.alarmsChanged", subject: { kind: "host", id: name }, data: { alarms } });
      }
      if (before.unreachable_reason !== null) {
        await emit(tx, { type: "host.returned", subject: { kind: "host", id: name }, data: {} });
      }
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
   * Removes a host with its leases: its certificate counts no more.
   * @param force the operator vouches that the host is powered off: VMs that ran there are lost, and may be started elsewhere
   * @throws HOST_BUSY while it has VMs that are not stopped
   */
  async remove(name: string, force: boolean): Promise<void> {
    await this.#database.write(async (tx) => {
      const vms = await tx
        .selectFrom("vms")
        .select("name")
        .where("host", "=", name)
        .where("state", "!=", "stopped")
        .execute();
      if (vms.length > 0 && !force)
        throw GodwitError.of("HOST_BUSY", { host: name, vms: vms.map((vm) => vm.name) });
      await tx
        .updateTable("vms")
        .set({ state: "lost", changed_at: new Date() })
        .where("host", "=", name)
        .where("state", "!=", "stopped")
        .execute();
      await fence(tx, name);
      await tx.deleteFrom("hosts").where("name", "=", name).execute();
      await emit(tx, { type: "host.removed", subject: { kind: "host", id: name }, data: {} });
    });
  }
}

function requireValid<Token extends { used_at: Date | null; expires_at: Date }>(
  token: Token | undefined,
): asserts token is Token {
  if (token === undefined) throw GodwitError.of("TOKEN_INVALID", { reason: "unknown" });
  if (token.used_at !== null) throw GodwitError.of("TOKEN_INVALID", { reason: "used" });
  if (token.expires_at.getTime() < Date.now()) throw GodwitError.of("TOKEN_INVALID", { reason: "expired" });
}

/** The members that differ, `reportedAt` aside; sorted. */
export function changedParts(before: HostFacts | null, after: HostFacts): string[] {
  const { reportedAt: _, ...parts } = after;
  return Object.entries(parts)
    .filter(([part, value]) => !isDeepStrictEqual(value, before?.[part as keyof HostFacts]))
    .map(([part]) => part)
    .sort();
}
