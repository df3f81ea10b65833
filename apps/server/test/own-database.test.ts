/** The operator's own PostgreSQL instead of the private one: everything is kept there, and nothing beside. */
import { chmod, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@godwit/client";
import { serverOperations } from "@godwit/contract";
import { PrivatePostgres } from "@godwit/store";
import { ensureUser } from "@godwit/system";
import { pino } from "pino";
import { expect, test } from "vitest";
import { firstOwnPort } from "../../../test-kit/src/own-ports.ts";
import { dataPaths, initServer, runServer, serverName } from "../src/index.ts";

test("a server on the operator's database keeps its state there over restarts", async () => {
  await ensureUser("godwit-db");
  const folder = await mkdtemp(join(tmpdir(), "godwit-own-db-"));
  await chmod(folder, 0o755);
  const postgres = await PrivatePostgres.start(
    { folder: join(folder, "theirs"), socketFolder: join(folder, "socket"), user: "godwit-db" },
    () => undefined,
  );
  const { host = "", user = "", database = "" } = postgres.connection as Record<string, string>;
  const databaseUrl = `postgres://${user}@/${database}?host=${encodeURIComponent(host)}`;
  const dataFolder = join(folder, "data");
  await initServer(dataFolder);
  const port = firstOwnPort;
  try {
    const pools: string[][] = [];
    for (const round of [1, 2]) {
      const over = new AbortController();
      const ready = Promise.withResolvers<undefined>();
      const running = runServer(
        { dataFolder, listen: [{ host: "127.0.0.1", port }], databaseUrl, log: pino({ level: "silent" }) },
        over.signal,
        () => {
          ready.resolve(undefined);
        },
      );
      await Promise.race([ready.promise, running]);
      const paths = dataPaths(dataFolder);
      const api = new Client(serverOperations, {
        baseUrl: `https://127.0.0.1:${String(port)}`,
        tls: { ca: await readFile(paths.caCertificate, "utf8"), servername: serverName, unit: "server" },
        token: (await readFile(paths.adminToken, "utf8")).trim(),
      });
      if (round === 1) await api.call("poolCreate", { body: { name: "kept" } });
      pools.push((await api.call("poolList", {})).pools.map(({ name }) => name));
      await api.close();
      over.abort();
      await running;
    }
    expect(pools).toEqual([["kept"], ["kept"]]);
    expect(await readdir(dataFolder)).not.toContain("database");
  } finally {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
