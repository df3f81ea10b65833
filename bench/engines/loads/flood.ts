/**
 * Writes random values of a page to a redis without a disk, some at a time, each key in turn; run in the clients' namespace:
 * `flood.ts ADDRESS MIB`. Lines on standard input: `begin` is answered with the first write, `count` with how many were
 * acknowledged; `end` empties the database and ends.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const [address = "", mib = ""] = process.argv.slice(2);
const port = 6380;
const pageBytes = 4096;
const keys = (Number(mib) * 2 ** 20) / pageBytes;
/** Commands on their way. */
const depth = 16;
const retryMs = 100;
/** Each write is another part of it. */
const noise = randomBytes(2 ** 20);

let acknowledged = 0;
let next = 0;
let ending = false;
const first = Promise.withResolvers<undefined>();

function set(): Buffer {
  const key = `flood:${String(next % keys)}`;
  const from = (next * 61) % (noise.length - pageBytes);
  next += 1;
  return Buffer.concat([
    Buffer.from(`*3\r\n$3\r\nSET\r\n$${String(key.length)}\r\n${key}\r\n$${String(pageBytes)}\r\n`),
    noise.subarray(from, from + pageBytes),
    Buffer.from("\r\n"),
  ]);
}

/** Until the connection breaks, or the end is asked for. */
async function writeOn(socket: Socket): Promise<void> {
  const closed = once(socket, "close");
  socket.on("data", (data: Buffer) => {
    // An answer is a line: +OK, or an error.
    const text = data.toString("latin1");
    if (text.includes("-")) throw new Error(`the database answers ${text.trim()}`);
    const answers = text.split("\n").length - 1;
    acknowledged += answers;
    if (acknowledged > 0) first.resolve(undefined);
    if (!ending) for (let one = 0; one < answers; one++) socket.write(set());
    else if (socket.writable) socket.end("*1\r\n$8\r\nFLUSHALL\r\n");
  });
  for (let one = 0; one < depth; one++) socket.write(set());
  await closed;
}

async function writing(): Promise<void> {
  while (!ending) {
    const socket = connect({ host: address, port });
    socket.on("error", () => undefined);
    const opened = await Promise.race([
      once(socket, "connect").then(() => true),
      once(socket, "close").then(() => false),
    ]).catch(() => false);
    if (opened) await writeOn(socket);
    else await sleep(retryMs); // the guest boots: nobody tells when it listens
  }
}

void writing();
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "begin") await first.promise;
  if (line === "end") break;
  console.log(acknowledged);
}
ending = true;
await sleep(2000);
process.exit(0);
