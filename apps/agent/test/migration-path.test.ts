/** The listener for a try of the way: only who knows the secret gets anything of it, once, and it does not stay. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { firstOwnPort, portsOfFile } from "../../../test-kit/src/own-ports.ts";
import { ProbeListeners } from "../src/migration-path/probe-listeners.ts";
import { bulkBytes, marks, proofBytes, proofOf } from "../src/migration-path/protocol.ts";

const secret = "5a".repeat(32);
const ports = { first: firstOwnPort, last: firstOwnPort + portsOfFile - 1 };
const listeners = new ProbeListeners({ name: "b", migration: { address: "127.0.0.1", ports } });
afterEach(() => {
  listeners.close();
});

async function connected(port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port });
  await once(socket, "connect");
  return socket;
}

/** All that comes until the other end closes, at most a little more than a whole try. */
async function all(socket: Socket): Promise<Buffer> {
  const parts: Buffer[] = [];
  socket.on("data", (data) => parts.push(data));
  socket.on("error", () => undefined);
  await once(socket, "close");
  return Buffer.concat(parts);
}

test("the source's try gets proof, marks and the same number of bytes back, and then nothing listens any more", async () => {
  const { address, port } = await listeners.listen(secret);
  expect(address).toBe("127.0.0.1");
  expect(port).toBeGreaterThanOrEqual(ports.first);
  expect(port).toBeLessThanOrEqual(ports.last);
  const socket = await connected(port);
  const answer = all(socket);
  socket.write(proofOf(secret, "source"));
  socket.write(Buffer.alloc(bulkBytes));
  const got = await answer;
  expect(got.length).toBe(proofBytes + marks + bulkBytes);
  expect(got.subarray(0, proofBytes)).toEqual(proofOf(secret, "destination"));
  await expect(connected(port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test("who does not know the secret gets not one byte, and does not end the try of who does", async () => {
  const { port } = await listeners.listen(secret);
  const strangers = [
    proofOf("00".repeat(32), "source"),
    proofOf(secret, "destination"),
    Buffer.alloc(4096, 1),
  ];
  for (const words of strangers) {
    const stranger = await connected(port);
    stranger.write(words);
    expect((await all(stranger)).length).toBe(0);
  }
  const source = await connected(port);
  source.write(proofOf(secret, "source"));
  const [proof] = (await once(source, "data")) as [Buffer];
  expect(proof).toEqual(proofOf(secret, "destination"));
  source.destroy();
});

test("who has the secret and sends more than a try is ended", async () => {
  const { port } = await listeners.listen(secret);
  const source = await connected(port);
  const answer = all(source);
  source.write(proofOf(secret, "source"));
  source.write(Buffer.alloc(bulkBytes + 1));
  expect((await answer).length).toBeLessThanOrEqual(proofBytes + marks);
});

test("when all ports are in use, and when no interface has the address, the code says which", async () => {
  for (let port = ports.first; port <= ports.last; port += 1) await listeners.listen(secret);
  await expect(listeners.listen(secret)).rejects.toMatchObject({
    code: "MIGRATION_PORTS_TAKEN",
    problem: {
      detail: `All migration ports of host b (127.0.0.1, ${String(ports.first)} to ${String(ports.last)}) are in use.`,
    },
  });
  const elsewhere = new ProbeListeners({ name: "b", migration: { address: "203.0.113.9", ports } });
  await expect(elsewhere.listen(secret)).rejects.toMatchObject({ code: "MIGRATION_ADDRESS_ABSENT" });
  const without = new ProbeListeners({ name: "b", migration: undefined });
  await expect(without.listen(secret)).rejects.toMatchObject({ code: "MIGRATION_NETWORK_MISSING" });
});
