/**
 * QEMU's guest agent, by the socket of its port: the program in the guest that does what only the guest can. It may
 * be missing, busy, or still answer an earlier command; so each session is short and starts by synchronizing
 * (`guest-sync-delimited`). Whatever the guest writes, little of it is read.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { z } from "zod";

const replySchema = z.union([
  z.object({ return: z.unknown() }),
  z.object({ error: z.object({ desc: z.string() }) }),
]);

/** Of all that the guest writes in one session. Answers have some tens of bytes. */
const maxReadBytes = 256 * 1024;

/** Of a reason of the guest's own, which people read. */
const maxReasonLength = 200;
const newline = 0x0a;

/** Ends what the agent may have read of an earlier, unfinished command. */
const flush = Buffer.from([0xff]);

/**
 * Sets the guest's clock to this host's.
 *
 * @param path of the port's socket
 * @throws Error when the guest does not answer within `limitMs`, or refuses
 */
export async function setGuestClock(path: string, limitMs: number): Promise<void> {
  const signal = AbortSignal.timeout(limitMs);
  const socket = connect(path);
  try {
    await once(socket, "connect", { signal });
    const lines = linesOf(socket, signal);
    await synchronize(socket, lines);
    // QEMU's reference: ns since 1970, UTC.
    const time = Math.round((performance.timeOrigin + performance.now()) * 1000) * 1000;
    socket.write(`${JSON.stringify({ execute: "guest-set-time", arguments: { time } })}\n`);
    const reply = replySchema.safeParse(jsonOrNull(await next(lines)));
    if (!reply.success) throw new Error("the guest agent's answer is not one");
    if ("error" in reply.data) throw new Error(reply.data.error.desc.slice(0, maxReasonLength));
  } catch (error) {
    if (signal.aborted)
      throw new Error(`the guest agent did not answer within ${String(limitMs)} ms`, { cause: error });
    throw error;
  } finally {
    socket.destroy();
  }
}

/** The lines that the guest writes. @throws Error when it writes too much, or too long */
async function* linesOf(socket: Socket, signal: AbortSignal): AsyncGenerator<string> {
  signal.throwIfAborted();
  const end = () => {
    socket.destroy(new Error("the time is over"));
  };
  signal.addEventListener("abort", end, { once: true });
  let rest = Buffer.alloc(0);
  let bytes = 0;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxReadBytes) throw new Error("the guest agent's port gives more than any answer has");
    rest = Buffer.concat([rest, chunk]);
    for (let at = rest.indexOf(newline); at !== -1; at = rest.indexOf(newline)) {
      yield rest.subarray(0, at).toString("utf8");
      rest = rest.subarray(at + 1);
    }
  }
}

/** Everything up to the answer that has this number belongs to earlier commands. */
async function synchronize(socket: Socket, lines: AsyncIterator<string>): Promise<void> {
  const id = Math.floor(Math.random() * 2 ** 31);
  socket.write(flush);
  socket.write(`${JSON.stringify({ execute: "guest-sync-delimited", arguments: { id } })}\n`);
  for (;;) if (answers(await next(lines), id)) return;
}

/** @param line what came, which may begin with the rest of an old answer and a delimiter */
function answers(line: string, id: number): boolean {
  const text = line.slice(Math.max(0, line.lastIndexOf("{")));
  return z.object({ return: z.literal(id) }).safeParse(jsonOrNull(text)).success;
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function next(lines: AsyncIterator<string>): Promise<string> {
  const line = await lines.next();
  if (line.done === true) throw new Error("the guest agent's port was closed");
  return line.value;
}
