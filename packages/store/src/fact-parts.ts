/**
 * The large parts of hosts' facts: CPU tables and what a QEMU can do. Hosts of one kind have them in common, so that
 * each is kept once, in the database and in memory, by the digest of its text; a host's row names the digests.
 */
import { createHash } from "node:crypto";
import type { HostFacts } from "@godwit/contract";
import { sql } from "kysely";
import type { Database } from "./database.ts";
import type { PartDigests, Queries, Writes } from "./schema.ts";

/** Facts whose large parts are told by their digests. */
export interface StoredFacts {
  facts: HostFacts;
  parts: PartDigests;
}

/** More than there are kinds of hosts in most clusters; what is not in memory is read. */
const mostInMemory = 1000;

export class FactParts {
  readonly #known = new Map<string, unknown>();

  /** The facts with parts that are shared with all hosts that have the same, and as they are stored. */
  async enter(tx: Writes, facts: HostFacts): Promise<StoredFacts & { shared: HostFacts }> {
    const { report } = facts.cpu;
    const cpuReport = report === null ? null : await this.#enterPart(tx, report);
    const qemu = await this.#enterPart(tx, facts.qemu);
    return {
      facts: { ...facts, cpu: { ...facts.cpu, report: null }, qemu: {} as HostFacts["qemu"] },
      parts: { ...(cpuReport === null ? {} : { cpuReport: cpuReport.digest }), qemu: qemu.digest },
      shared: { ...facts, cpu: { ...facts.cpu, report: cpuReport?.part ?? null }, qemu: qemu.part },
    };
  }

  /** The facts of each with their parts. */
  async complete(
    db: Queries,
    stored: readonly { facts: HostFacts | null; parts: PartDigests | null }[],
  ): Promise<(HostFacts | null)[]> {
    const needed = new Set(
      stored.flatMap(({ parts }) => [parts?.cpuReport, parts?.qemu]).filter((one) => one !== undefined),
    );
    const missing = [...needed].filter((digest) => !this.#known.has(digest));
    const found = new Map(this.#known);
    if (missing.length > 0) {
      const rows = await db
        .selectFrom("fact_parts")
        .selectAll()
        .where(sql<boolean>`digest = any(${missing}::text[])`)
        .execute();
      for (const { digest, part } of rows) {
        this.#remember(digest, part);
        found.set(digest, part);
      }
    }
    return stored.map(({ facts, parts }) => {
      if (facts === null) return null;
      const { cpuReport, qemu } = parts ?? {};
      return {
        ...facts,
        ...(cpuReport === undefined
          ? {}
          : { cpu: { ...facts.cpu, report: found.get(cpuReport) as HostFacts["cpu"]["report"] } }),
        ...(qemu === undefined ? {} : { qemu: found.get(qemu) as HostFacts["qemu"] }),
      };
    });
  }

  /** Removes what no host has any more. */
  async trim(database: Database): Promise<void> {
    await database.write(async (tx) => {
      // Whoever enters a part has entered the host's row too when this lock is had.
      await sql`lock table fact_parts in share row exclusive mode`.execute(tx);
      await sql`
        delete from fact_parts where digest not in (
          select digest from host_facts, jsonb_each_text(parts) as part (name, digest))`.execute(tx);
    });
  }

  async #enterPart<Part>(tx: Writes, part: Part): Promise<{ digest: string; part: Part }> {
    const text = JSON.stringify(part);
    const digest = createHash("sha256").update(text).digest("hex");
    await tx
      .insertInto("fact_parts")
      .values({ digest, part: text })
      .onConflict((conflict) => conflict.column("digest").doNothing())
      .execute();
    const known = this.#known.get(digest);
    if (known !== undefined) return { digest, part: known as Part };
    this.#remember(digest, part);
    return { digest, part };
  }

  #remember(digest: string, part: unknown): void {
    if (this.#known.size >= mostInMemory) {
      const [oldest] = this.#known.keys();
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    this.#known.set(digest, part);
  }
}
