/** Sessions with a server that behaves well, badly, or not at all. */
import { createServer, type Server, type Socket } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { QmpSession } from "../src/index.ts";

const greeting = { QMP: { version: {}, capabilities: ["oob"] } };
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

/** A server that greets and answers each command by `answer`; what it returns is sent as it is. */
async function fakeQemu(answer: (command: Record<string, unknown>, socket: Socket) => string | undefined) {
  const folder = await mkdtemp(join(tmpdir(), "qmp-"));
  const path = join(folder, "s");
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.write(`${JSON.stringify(greeting)}\n`);
    socket.on("data", (data) => {
      for (const line of data.toString().split("\n").filter(Boolean)) {
        const command = JSON.parse(line) as Record<string, unknown>;
        const reply =
          command.execute === "qmp_capabilities"
            ? JSON.stringify({ return: {}, id: command.id })
            : answer(command, socket);
        if (reply !== undefined) socket.write(`${reply}\n`);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  });
  return path;
}

test("a refused command and a lost answer are different errors", async () => {
  const path = await fakeQemu((command, socket) => {
    if (command.execute === "cont") {
      return JSON.stringify({ error: { class: "GenericError", desc: "no leave" }, id: command.id });
    }
    socket.destroy();
    return undefined;
  });
  const session = await QmpSession.connect(path);
  await expect(session.execute("cont")).rejects.toMatchObject({ code: "QMP_REFUSED" });
  await expect(session.execute("stop")).rejects.toMatchObject({ code: "QMP_INTERRUPTED" });
  await expect(session.ended).resolves.toContain("closed");
  await expect(session.execute("stop")).rejects.toMatchObject({ code: "QMP_INTERRUPTED" });
});

test("answers find their callers in any order, and events their listeners", async () => {
  const waiting: string[] = [];
  const path = await fakeQemu((command, socket) => {
    waiting.push(String(command.id));
    if (waiting.length < 3) return undefined;
    socket.write(`{"event":"STOP","timestamp":{"seconds":12,"microseconds":34}}\n`);
    return waiting
      .reverse()
      .map((id) => JSON.stringify({ return: { running: id === "2", status: id }, id }))
      .join("\n");
  });
  const session = await QmpSession.connect(path);
  const stop = session.nextEvent(({ name }) => name === "STOP", 60_000);
  const replies = await Promise.all([1, 2, 3].map(() => session.execute("query-status")));
  expect(replies.map(({ status }) => status)).toEqual(["2", "3", "4"]);
  expect((await stop).timestampUs).toBe(12_000_034);
  session.close();
});

test("a reply of another shape is an error, not a silent undefined", async () => {
  const path = await fakeQemu((command) => JSON.stringify({ return: { runing: true }, id: command.id }));
  const session = await QmpSession.connect(path);
  await expect(session.execute("query-status")).rejects.toMatchObject({ code: "QMP_INTERRUPTED" });
  session.close();
});

test("a QEMU that answers nothing gets no more commands than it reads: those that are out of band still reach it", async () => {
  const read: Record<string, unknown>[] = [];
  const path = await fakeQemu((command, socket) => {
    read.push(command);
    if (command["exec-oob"] === undefined) return undefined;
    // It goes on: first with what waited.
    for (const { id } of read) socket.write(`${JSON.stringify({ return: {}, id })}\n`);
    return undefined;
  });
  const session = await QmpSession.connect(path);
  for (let number = 0; number < 4; number++)
    await expect(session.execute("stop", {}, { timeoutMs: 20 })).rejects.toMatchObject({
      code: "QMP_INTERRUPTED",
    });
  await expect(session.execute("stop")).rejects.toThrow(/the last 4 commands were not answered/);
  // Written by the same program, which may have come to its timers before it came to the socket.
  await expect.poll(() => read).toHaveLength(4);
  await session.execute("migrate-pause", {}, { outOfBand: true });
  const again = session.execute("stop", {}, { timeoutMs: 20 });
  await expect(again).rejects.toThrow(/no answer within 20 ms/);
  await expect.poll(() => read).toHaveLength(6);
  session.close();
});

test("nobody there, or somebody who is not QEMU, is told as such", async () => {
  await expect(QmpSession.connect("/nonexistent/socket")).rejects.toMatchObject({ code: "QMP_INTERRUPTED" });
  const path = await fakeQemu((_, socket) => {
    socket.write("HTTP/1.1 400 Bad Request\n");
    return undefined;
  });
  const session = await QmpSession.connect(path);
  await expect(session.execute("query-status")).rejects.toMatchObject({ code: "QMP_INTERRUPTED" });
});
