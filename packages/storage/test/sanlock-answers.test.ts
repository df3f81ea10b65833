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
      const answer = left.shift() ?? Buffer.alloc(0);
      socket.end(
        answer.subarray(0, 4).equals(header.subarray(0, 4)) ? answer : Buffer.concat([header, answer]),
      );
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

/** An answer to a question about a lease: its header tells how long it is, and the code. */
function answerOf(code: number, count: number, body: Buffer): Buffer {
  const head = Buffer.from(header);
  head.writeUInt32LE(32 + body.length, 16);
  head.writeInt32LE(code, 24);
  head.writeUInt32LE(count, 28);
  return Buffer.concat([head, body]);
}

/** As the daemon tells of a lease: `struct sanlk_resource`, and `struct sanlk_host` for each that has it. */
function owners(
  version: bigint,
  hosts: readonly { id: bigint; generation: bigint; timestamp: bigint }[],
): Buffer {
  const resource = Buffer.alloc(128);
  resource.writeBigUInt64LE(version, 96);
  const records = hosts.map(({ id, generation, timestamp }) => {
    const host = Buffer.alloc(32);
    [id, generation, timestamp].forEach((value, at) => host.writeBigUInt64LE(value, at * 8));
    return host;
  });
  return answerOf(0, hosts.length, Buffer.concat([resource, ...records]));
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

const lease = { lockspace: "main", resource: "one", path: "/shared/one/lease-1" };
const [ninth, fifth] = [
  { id: 9n, generation: 2n, timestamp: 0n },
  { id: 5n, generation: 7n, timestamp: 0n },
];

test.each([
  ["nobody has", [], null, []],
  ["one host has alone", [{ ...fifth, timestamp: 812n }], { id: 5, generation: 7, timestamp: 812 }, []],
  [
    "two hosts share",
    [fifth, ninth],
    null,
    [
      { id: 5, generation: 7 },
      { id: 9, generation: 2 },
    ],
  ],
])("a lease that %s is told as that", async (_, hosts, exclusive, shared) => {
  await using fake = await daemonThatSays([owners(41n, hosts)]);
  const onDisk = await new Sanlock({ runFolder: fake.runFolder }).readResource(lease);
  expect(onDisk).toEqual({ version: 41, exclusive, shared });
});

test.each([
  ["breaks off within its answer", owners(41n, [fifth, ninth]).subarray(0, 170), "SANLOCK_UNAVAILABLE"],
  [
    "counts more hosts than it tells",
    answerOf(0, 3, owners(1n, [fifth]).subarray(32)),
    "SANLOCK_UNAVAILABLE",
  ],
  ["cannot read the storage", answerOf(-202, 0, Buffer.alloc(128)), "PROGRAM_FAILED"],
])("of a daemon that %s nobody learns who has a lease", async (_, answer, code) => {
  await using fake = await daemonThatSays([answer]);
  const asked = new Sanlock({ runFolder: fake.runFolder }).readResource(lease);
  await expect(asked).rejects.toMatchObject({ code });
});

test("whether a lease was converted is the daemon's word, and without one it is not known", async () => {
  await using fake = await daemonThatSays([
    answerOf(0, 0, Buffer.alloc(0)),
    answerOf(-243, 0, Buffer.alloc(0)),
    header.subarray(0, 20),
  ]);
  const sanlock = new Sanlock({ runFolder: fake.runFolder });
  expect(await sanlock.convert(lease, "SH", 1)).toBe(0);
  expect(await sanlock.convert(lease, "EX", 1)).toBe(-243);
  await expect(sanlock.convert(lease, "EX", 1)).rejects.toMatchObject({ code: "SANLOCK_UNAVAILABLE" });
});
