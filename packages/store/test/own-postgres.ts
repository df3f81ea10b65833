/** A PostgreSQL of a test's own, in a temporary folder. */
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureUser } from "@godwit/system";
import pg from "pg";
import { PrivatePostgres } from "../src/index.ts";

export const user = "godwit-db";

export class OwnPostgres implements AsyncDisposable {
  readonly folder: string;
  readonly postgres: PrivatePostgres;

  private constructor(folder: string, postgres: PrivatePostgres) {
    this.folder = folder;
    this.postgres = postgres;
  }

  static async start(): Promise<OwnPostgres> {
    await ensureUser(user);
    const folder = await mkdtemp(join(tmpdir(), "godwit-pg-"));
    await chmod(folder, 0o755); // the database's user passes through
    const options = { folder: join(folder, "database"), socketFolder: join(folder, "socket"), user };
    return new OwnPostgres(folder, await PrivatePostgres.start(options, () => undefined));
  }

  get connection(): pg.ClientConfig {
    return this.postgres.connection;
  }

  /** As the administrator sees it, over a connection of its own. */
  async ask<Row extends object>(query: string, values: unknown[] = []): Promise<Row[]> {
    const client = new pg.Client(this.connection);
    await client.connect();
    try {
      return (await client.query<Row>(query, values)).rows;
    } finally {
      await client.end();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.postgres.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
