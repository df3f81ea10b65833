/** A sanlock daemon that dies while it answers: what its answer lacks is never taken for what there is not. */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Sanlock } from "../src/leases/sanlock.ts";

/** As in sanlock_sock.h and sanlock.h of sanlock 3.8. */
const header = Buffer.alloc(32);
header.writeUInt32LE(0x04282010, 0);

function record(type: number, name: string, text: string, body = Buffer.alloc(0)): Buffer {
  const state = Buffer.alloc(80);
  state.writeUInt32LE(type, 0);
  state.write(name, 24);
  state.writeUInt32LE(text.length, 72);
  return Buffer.concat([state, Buffer.from(text), body]);
}
const daemon = record(1, "host-a", "use_watchdog=1");
const joined = record(3, "main", "list=spaces", Buffer.alloc(1104));

/** Gives these answers in turn; after the last one it is gone. */
async function daemonThatSays(answers: readonly Buffer[]): Promise<{ runFolder: string } & AsyncDisposable> {
  const runFolder = await mkdtemp(join(tmpdir(), "godwit-sanlock-"));
  const left = [...answers];
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => {
      socket.end(Buffer.concat([header, left.shift() ?? Buffer.alloc(0)]));
      if (left.length === 0) server.close();
    });
  });
  server.listen(join(runFolder, "sanlock.sock"));
  await once(server, "listening");
  return {
    runFolder,
    async [Symbol.asyncDispose]() {
      server.close();
      await rm(runFolder, { recursive: true });
    },
  };
}

const lockspacesOf = async (answers: readonly Buffer[]): Promise<string[]> => {
  await using fake = await daemonThatSays(answers);
  const { lockspaces } = await new Sanlock({ runFolder: fake.runFolder }).status();
  return lockspaces.map(({ name }) => name);
};

test.each([
  ["between its records", [daemon]],
  ["before the first of them", [Buffer.alloc(0)]],
  ["twice before the first of them", [Buffer.alloc(0), Buffer.alloc(0)]],
])("a daemon that dies %s has not said that its host joined nothing", async (_, answers) => {
  await expect(lockspacesOf(answers)).rejects.toMatchObject({ code: "SANLOCK_UNAVAILABLE" });
});

test("what one of two answers has is there, and what neither has is not", async () => {
  expect(await lockspacesOf([Buffer.concat([daemon, joined]), daemon])).toEqual(["main"]);
  expect(await lockspacesOf([daemon, Buffer.concat([daemon, joined])])).toEqual(["main"]);
  const whole = Buffer.concat([daemon, joined]);
  expect(await lockspacesOf([whole, whole])).toEqual(["main"]);
  expect(await lockspacesOf([daemon, daemon])).toEqual([]);
});
