/** The guest agent's port, with a guest that answers, one that has old things to say first, and one that is silent. */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { guestInterfaces, setGuestClock } from "../src/guest-agent.ts";

let folder: string;
let path: string;
let server: Server;
/** What the guest was asked, and what it says to that. */
const asked: { execute: string; arguments: Record<string, number> }[] = [];

async function guest(answer: (question: (typeof asked)[number], socket: Socket) => void): Promise<void> {
  server = createServer((socket) => {
    let text = "";
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      text += data.filter((byte) => byte !== 0xff).toString();
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
        const question = JSON.parse(text.slice(0, end)) as (typeof asked)[number];
        text = text.slice(end + 1);
        asked.push(question);
        answer(question, socket);
      }
    });
  }).listen(path);
  await once(server, "listening");
}

beforeEach(async () => {
  asked.length = 0;
  folder = await mkdtemp(join(tmpdir(), "godwit-guest-agent-"));
  path = join(folder, "port.sock");
});
afterEach(async () => {
  server.close();
  await rm(folder, { recursive: true });
});

test("the clock is set to this host's, after old answers were passed over", async () => {
  await guest(({ execute, arguments: { id } }, socket) => {
    if (execute === "guest-sync-delimited") socket.write('{"return": 17}\n');
    if (execute === "guest-sync-delimited") socket.write('{"retu');
    if (execute === "guest-sync-delimited") socket.write(Buffer.from([0xff]));
    socket.write(execute === "guest-set-time" ? '{"return": {}}\n' : `{"return": ${String(id)}}\n`);
  });
  // The clock that it goes by: it is not set while the program runs, and finer than a millisecond.
  const nowNs = () => (performance.timeOrigin + performance.now()) * 1e6;
  const beforeNs = nowNs();
  await setGuestClock(path, 5000);
  const afterNs = nowNs();
  expect(asked.map(({ execute }) => execute)).toEqual(["guest-sync-delimited", "guest-set-time"]);
  expect(asked[1]?.arguments.time).toBeGreaterThanOrEqual(beforeNs - 1000);
  expect(asked[1]?.arguments.time).toBeLessThanOrEqual(afterNs + 1000);
});

test("what the guest refuses is told in its words", async () => {
  await guest(({ execute, arguments: { id } }, socket) => {
    const refusal = '{"error": {"class": "GenericError", "desc": "no clock"}}\n';
    socket.write(execute === "guest-set-time" ? refusal : `{"return": ${String(id)}}\n`);
  });
  await expect(setGuestClock(path, 5000)).rejects.toThrow("no clock");
});

test("a guest without an agent is not waited for any longer than was said", async () => {
  await guest(() => undefined);
  await expect(setGuestClock(path, 200)).rejects.toThrow("did not answer within 200 ms");
});

test("a guest that writes without end is given up soon, and costs no memory", async () => {
  const block = Buffer.alloc(1024 * 1024, "x");
  let wroteMib = 0;
  await guest((_, socket) => {
    // 100 MB without the end of a line, as fast as they are taken.
    const write = () => {
      while (wroteMib < 100 && !socket.destroyed) {
        wroteMib += 1;
        if (!socket.write(block)) {
          socket.once("drain", write);
          return;
        }
      }
    };
    write();
  });
  await expect(setGuestClock(path, 5000)).rejects.toThrow("more than any answer has");
  expect(wroteMib).toBeLessThan(10);
});

test("what is no answer, and a reason without end, are told in few words", async () => {
  let said = "[1, 2";
  await guest(({ execute, arguments: { id } }, socket) => {
    socket.write(execute === "guest-set-time" ? `${said}\n` : `{"return": ${String(id)}}\n`);
  });
  await expect(setGuestClock(path, 5000)).rejects.toThrow("the guest agent's answer is not one");
  said = JSON.stringify({ error: { desc: "no".repeat(10_000) } });
  const error = await setGuestClock(path, 5000).catch((thrown: unknown) => thrown as Error);
  expect(String(error).length).toBeLessThan(300);
});

test("the addresses of interfaces are read; what is none is left out, and there is an end to them", async () => {
  let answer: unknown;
  await guest(({ execute, arguments: given }, socket) => {
    const isSync = execute === "guest-sync-delimited";
    socket.write(`${JSON.stringify({ return: isSync ? given.id : answer })}\n`);
  });
  const ip = (address: unknown) => ({ "ip-address": address, "ip-address-type": "ipv4", prefix: 24 });
  answer = [
    { name: "lo", "ip-addresses": [ip("127.0.0.1")] },
    {
      name: "eth0",
      "hardware-address": "52:54:00:AA:BB:01",
      "ip-addresses": [ip("10.0.0.5"), ip("fe80::1")],
    },
    { name: "eth1", "hardware-address": "52:54:00:aa:bb:02" },
    { name: "eth2", "hardware-address": "x", "ip-addresses": [ip("10.0.0.6; rm -rf /"), ip("\u001b[31m")] },
  ];
  expect(await guestInterfaces(path, 5000)).toEqual([
    { mac: "52:54:00:aa:bb:01", addresses: ["10.0.0.5", "fe80::1"] },
  ]);
  answer = Array.from({ length: 300 }, () => ({
    "hardware-address": "52:54:00:aa:bb:01",
    "ip-addresses": Array.from({ length: 3 }, () => ip("10.0.0.5")),
  }));
  expect(await guestInterfaces(path, 5000)).toHaveLength(256);
  for (answer of [{}, "text", [{ "ip-addresses": "10.0.0.5" }], [{ "ip-addresses": [ip(7)] }], null])
    await expect(guestInterfaces(path, 5000)).rejects.toThrow("the guest agent's answer is not one");
});
