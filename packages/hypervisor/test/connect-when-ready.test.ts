/** A QEMU that is slow to make its machine is waited for, and one that has ended is not. */
import { createServer, type Socket } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { sleep } from "@godwit/system";
import { expect, test } from "vitest";
import { connectWhenReady } from "../src/qemu-facts.ts";

/** For longer than an answer to a command may take. */
const silentMs = 5500;
const greeting = '{"QMP": {"version": {}, "capabilities": []}}\n';

test("a QEMU that takes connections and does not greet yet is waited for over one of them", async () => {
  const folder = await mkdtemp(join(tmpdir(), "godwit-slow-qemu-"));
  const path = join(folder, "qmp");
  const connections: Socket[] = [];
  const server = createServer((socket) => {
    connections.push(socket);
    socket.on("error", () => undefined);
    socket.on("data", (text) => {
      const { id } = JSON.parse(String(text)) as { id: string };
      socket.write(`${JSON.stringify({ return: {}, id })}\n`);
    });
  });
  try {
    const session = connectWhenReady(path, () => false, 60_000);
    server.listen(path);
    await once(server, "connection");
    await sleep(silentMs);
    for (const socket of connections) socket.write(greeting);
    (await session).close();
    expect(connections).toHaveLength(1);
  } finally {
    server.close();
    for (const socket of connections) socket.destroy();
    await rm(folder, { recursive: true });
  }
});

test("a QEMU that has ended is not waited for", async () => {
  await expect(connectWhenReady("/nonexistent/qmp", () => true, 60_000)).rejects.toMatchObject({
    code: "QMP_INTERRUPTED",
  });
});
