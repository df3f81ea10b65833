/** An agent carries out orders of the newest server that it has answered, and of none before it, also after a restart. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NewestServer } from "../src/newest-server.ts";

const log = pino({ level: "silent" });
let stateFolder: string;
beforeEach(async () => {
  stateFolder = await mkdtemp(join(tmpdir(), "newest-server-"));
});
afterEach(async () => {
  await rm(stateFolder, { recursive: true, force: true });
});
const read = () => NewestServer.read({ name: "a", stateFolder }, log);
const refused = { code: "SERVER_SUPERSEDED" };

test("an earlier server may ask and not order, also after a restart before the newer one has called again", async () => {
  const before = await read();
  await before.hear(3, true);
  await before.hear(4, false); // its event stream
  for (const agent of [before, await read()]) {
    await agent.hear(3, false);
    await expect(agent.hear(3, true)).rejects.toMatchObject(refused);
    await agent.hear(4, true);
    await agent.hear(null, true); // a server of an earlier version tells none
  }
});

test("of calls at the same time the newest one is kept", async () => {
  const agent = await read();
  await Promise.allSettled([5, 9, 7, 8].map((generation) => agent.hear(generation, true)));
  await expect((await read()).hear(8, true)).rejects.toMatchObject(refused);
  await (await read()).hear(9, true);
});

test("what cannot be written counts all the same, and is written as soon as it can be", async () => {
  await rm(stateFolder, { recursive: true });
  const agent = await read();
  await agent.hear(4, true);
  await expect(agent.hear(3, true)).rejects.toMatchObject(refused);
  stateFolder = await mkdtemp(join(tmpdir(), "newest-server-"));
  const other = await NewestServer.read({ name: "a", stateFolder: join(stateFolder, "state") }, log);
  await other.hear(4, true);
  await mkdir(join(stateFolder, "state"));
  await other.hear(4, false);
  const restarted = await NewestServer.read({ name: "a", stateFolder: join(stateFolder, "state") }, log);
  await expect(restarted.hear(3, true)).rejects.toMatchObject(refused);
});

test("a file that is broken keeps no server out", async () => {
  await writeFile(join(stateFolder, "server-generation.json"), '{"version":1,"generation":"x"}');
  const agent = await read();
  await agent.hear(2, true);
  await expect((await read()).hear(1, true)).rejects.toMatchObject(refused);
});
