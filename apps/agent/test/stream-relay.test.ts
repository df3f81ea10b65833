/** A post-copy's new stream through the agent: bytes both ways, and a clear end when one side does not come. */
import { once } from "node:events";
import { access, mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { relayStream } from "../src/moves/stream-relay.ts";

let folder: string;
let destination: Server;
let to: { address: string; port: number };
const heard = (): Promise<Socket> => once(destination, "connection").then(([socket]) => socket as Socket);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-relay-"));
  destination = createServer().listen(0, "127.0.0.1");
  await once(destination, "listening");
  to = { address: "127.0.0.1", port: (destination.address() as AddressInfo).port };
});
afterEach(async () => {
  destination.close();
  await rm(folder, { recursive: true });
});

test("what QEMU sends arrives, what is answered comes back, and the end of one is the end of the other", async () => {
  const far = heard();
  let qemu: Socket | undefined;
  const path = join(folder, "rest.sock");
  await relayStream("b", to, path, async (offered) => {
    qemu = connect(offered);
    await once(qemu, "connect");
  });
  const [near, other] = [qemu as Socket, await far];
  near.write("the rest");
  expect(String((await once(other, "data"))[0])).toBe("the rest");
  other.write("a page, please");
  expect(String((await once(near, "data"))[0])).toBe("a page, please");
  await expect(access(path)).rejects.toThrow(/ENOENT/);
  other.destroy();
  await once(near, "close");
});

test("a stream that is reset ends like any other", async () => {
  const far = heard();
  let qemu: Socket | undefined;
  const stream = await relayStream("b", to, join(folder, "rest.sock"), async (offered) => {
    qemu = connect(offered);
    await once(qemu, "connect");
  });
  qemu?.resume();
  (await far).resetAndDestroy();
  await stream.closed;
  if (qemu?.closed === false) await once(qemu, "close");
  expect(qemu?.closed).toBe(true);
});

test("a destination that refuses is told, and QEMU never learns of it", async () => {
  destination.close();
  await once(destination, "close");
  let offered = false;
  const attempt = relayStream("b", to, join(folder, "rest.sock"), () => {
    offered = true;
    return Promise.resolve();
  });
  await expect(attempt).rejects.toMatchObject({ code: "MIGRATION_STREAM_FAILED" });
  expect(offered).toBe(false);
});

test("a QEMU that comes and is then not heard of is left no stream", async () => {
  let qemu: Socket | undefined;
  const attempt = relayStream("b", to, join(folder, "rest.sock"), async (offered) => {
    qemu = connect(offered);
    await once(qemu, "connect");
    throw new Error("no answer");
  });
  await expect(attempt).rejects.toThrow(/no answer/);
  qemu?.resume();
  if (qemu?.closed === false) await once(qemu, "close");
  expect(qemu?.closed).toBe(true);
});

test("a QEMU that refuses leaves nothing open at the destination", async () => {
  const closed = heard().then(async (socket) => {
    socket.resume();
    await once(socket, "close");
  });
  const path = join(folder, "rest.sock");
  const attempt = relayStream("b", to, path, () => Promise.reject(new Error("no paused migration")));
  await expect(attempt).rejects.toThrow(/no paused migration/);
  await closed;
});
