/** Hosts that have joined: entering, reading, removing them, and what they report. */
import {
  firstCertificate,
  GodwitError,
  type CertificateOf,
  type HostFacts,
  type Maintenance,
  type PageRequest,
  type TaskId,
  type VmId,
} from "@godwit/contract";
import { sql } from "kysely";
import { isDuplicate, type Database } from "./database.ts";
import { emit } from "./events.ts";
import { FactParts } from "./fact-parts.ts";
import { forgetBoots, mustHaveAccess } from "./host-access.ts";
import { writeFacts, writeSeen, type SeenHost } from "./host-reports.ts";
import {
  hostRows,
  hostSummaries,
  type HostRow,
  type ConnectedHost,
  type HostSummaryRow,
  type JoiningHost,
} from "./host-rows.ts";
import { checkToken, createToken, useToken } from "./join-tokens.ts";
import { membersChanged } from "./members.ts";
import { findReferences, removeReferences } from "./references.ts";
import { pageOf, type Page } from "./page.ts";
import { taskOn } from "./tasks.ts";

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
    return await this.#database.write((tx) => createToken(tx, expiresAt, rejoin));
  }

  /** @throws TOKEN_INVALID; one that is valid now may have been used when the host is entered */
  async checkToken(secret: string): Promise<void> {
    await this.#database.read((db) => checkToken(db, secret));
  }

  /**
   * Uses a token up and enters the host, both or neither.
   * @throws TOKEN_INVALID, HOST_EXISTS
   */
  async join(secret: string, host: JoiningHost): Promise<void> {
    await this.#database.write(async (tx) => {
      const { rejoins } = await useToken(tx, secret, host.name);
      const written = {
        name: host.name,
        agent_url: host.agentUrl,
        member_id: host.memberId,
        certificate_number: firstCertificate,
        certificate_in_use: firstCertificate,
        certificate_ends_at: host.certificateEndsAt,
      };
      if (!rejoins) {
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
        await forgetBoots(tx, host.name);
      }
      await membersChanged(tx);
      await emit(tx, { type: "host.joined", subject: { kind: "host", id: host.name }, data: {} });
    });
  }

  /** The number of a certificate that is issued now, of no other. @throws HOST_UNKNOWN */
  async nextCertificate(name: string): Promise<number> {
    return await this.#database.write(async (tx) => {
      const row = await tx
        .updateTable("hosts")
        .set({ certificate_number: sql<number>`certificate_number + 1` })
        .where("name", "=", name)
        .returning("certificate_number")
        .executeTakeFirst();
      if (row === undefined) throw GodwitError.of("HOST_UNKNOWN", { host: name, known: [] });
      return row.certificate_number;
    });
  }

  /** Those of a member before this one count no more. @returns whether that is news */
  async usesCertificate(name: string, { id, number }: CertificateOf): Promise<boolean> {
    return await this.#database.write(async (tx) => {
      const { numUpdatedRows } = await tx
        .updateTable("hosts")
        .set({ certificate_in_use: number })
        .where("name", "=", name)
        .where("member_id", "=", id)
        .where("certificate_in_use", "<", number)
        // Of a database that was restored: a certificate that was issued after the backup counts, and none like it is issued again.
        .executeTakeFirst();
      if (numUpdatedRows === 0n) return false;
      await tx
        .updateTable("hosts")
        .set({ certificate_number: sql<number>`greatest(certificate_number, certificate_in_use)` })
        .where("name", "=", name)
        .execute();
      await membersChanged(tx);
      return true;
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

  /** A page in order of their names. */
  async page(page: PageRequest): Promise<Page<HostRow>> {
    const { limit, cursor } = page;
    const rows = await this.#database.read((db) =>
      hostRows(db, this.#parts, { after: cursor, limit: limit + 1 }),
    );
    return pageOf(rows, limit, ({ name }) => name);
  }

  /** A page of what lists show. */
  async summaries(page: PageRequest): Promise<Page<HostSummaryRow>> {
    const rows = await this.#database.read((db) => hostSummaries(db, page));
    return pageOf(rows, page.limit, ({ name }) => name);
  }

  async list(): Promise<HostRow[]> {
    return await this.#database.read((db) => hostRows(db, this.#parts));
  }

  /** @throws HOST_UNKNOWN */
  async show(name: string): Promise<HostRow> {
    const found = await this.find(name);
    if (found !== null) return found;
    const known = (await this.connections()).map((host) => host.name);
    throw GodwitError.of("HOST_UNKNOWN", { host: name, known });
  }

  async find(name: string): Promise<HostRow | null> {
    const [found] = await this.#database.read((db) => hostRows(db, this.#parts, { name }));
    return found ?? null;
  }

  /** How each host is reached. */
  async connections(): Promise<ConnectedHost[]> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom("hosts")
        .select(["name", "agent_url", "member_id", "certificate_in_use", "certificate_ends_at"])
        .orderBy("name")
        .execute(),
    );
    return rows.map((row) => ({
      name: row.name,
      agentUrl: row.agent_url,
      memberId: row.member_id,
      certificateInUse: row.certificate_in_use,
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
    return await this.#database.write((tx) => writeFacts(tx, this.#parts, name, facts));
  }

  /** They answered: all are written at once. A change of a host's alarms is an event; one that was removed meanwhile is passed over. */
  async saw(seen: readonly SeenHost[]): Promise<void> {
    await this.#database.write((tx) => writeSeen(tx, seen));
  }

  /** One that the server powers off or on is no loss: it is no event. @returns whether it is a loss */
  async lost(name: string, reason: string): Promise<boolean> {
    return await this.#database.write(async (tx) => {
      const power = await tx
        .selectFrom("host_power")
        .select("state")
        .where("host", "=", name)
        .executeTakeFirst();
      const isLoss = (power?.state ?? null) === null;
      const { numUpdatedRows } = await tx
        .updateTable("hosts")
        .set({ unreachable_reason: reason })
        .where("name", "=", name)
        .where("unreachable_reason", "is", null)
        .executeTakeFirst();
      if (numUpdatedRows > 0n && isLoss)
        await emit(tx, { type: "host.lost", subject: { kind: "host", id: name }, data: { reason } });
      return isLoss;
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

  /** What all its moves together may use of its link. @param bytesPerSecond null: what that gives. @throws HOST_UNKNOWN */
  async setMoveBandwidth(name: string, bytesPerSecond: number | null): Promise<void> {
    await this.#database.write(async (tx) => {
      const { numUpdatedRows } = await tx
        .updateTable("hosts")
        .set({ move_bandwidth: bytesPerSecond })
        .where("name", "=", name)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) throw GodwitError.of("HOST_UNKNOWN", { host: name, known: [] });
      await emit(tx, {
        type: "host.moveBandwidthChanged",
        subject: { kind: "host", id: name },
        data: { moveBandwidthMbps: bytesPerSecond === null ? null : (bytesPerSecond * 8) / 1e6 },
      });
    });
  }

  /** Of the hosts that have such a ceiling. */
  async moveBandwidths(): Promise<Map<string, number>> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom("hosts")
        .select(["name", "move_bandwidth"])
        .where("move_bandwidth", "is not", null)
        .execute(),
    );
    return new Map(rows.map(({ name, move_bandwidth: bytesPerSecond }) => [name, bytesPerSecond ?? 0]));
  }

  /**
   * Removes a host that nothing needs any more: its certificate counts no more.
   * @param force the operator vouches that it is powered off: VMs that ran there are lost, and may be started elsewhere
   * @throws HOST_BUSY while VMs or tasks need it; DATASTORE_ACCESS_REVOKED while it has not got its access to a datastore back
   */
  async remove(name: string, force: boolean): Promise<void> {
    await this.#database.write(async (tx) => {
      // Tasks that need it are entered under the same lock.
      await tx.selectFrom("hosts").select("name").where("name", "=", name).forUpdate().execute();
      await mustHaveAccess(tx, { host: name });
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
}
