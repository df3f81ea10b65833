/**
 * QEMU's guest agent, by the socket of its port: the program in the guest that does what only the guest can. It may
 * be missing, busy, or still answer an earlier command; so each session is short and starts by synchronizing
 * (`guest-sync-delimited`).
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { z } from "zod";

const replySchema = z.union([
  z.object({ return: z.unknown() }),
  z.object({ error: z.object({ desc: z.string() }) }),
]);

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
    const lines = createInterface({ input: socket, signal })[Symbol.asyncIterator]();
    await synchronize(socket, lines);
    // QEMU's reference: ns since 1970, UTC.
    const time = Math.round((performance.timeOrigin + performance.now()) * 1000) * 1000;
    socket.write(`${JSON.stringify({ execute: "guest-set-time", arguments: { time } })}\n`);
    const reply = replySchema.parse(JSON.parse(await next(lines)));
    if ("error" in reply) throw new Error(reply.error.desc);
  } catch (error) {
    if (signal.aborted)
      throw new Error(`the guest agent did not answer within ${String(limitMs)} ms`, { cause: error });
    throw error;
  } finally {
    socket.destroy();
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
  const text = line.slice(line.search(/\{[^{]*$/));
  try {
    return z.object({ return: z.literal(id) }).safeParse(JSON.parse(text)).success;
  } catch {
    return false;
  }
}

async function next(lines: AsyncIterator<string>): Promise<string> {
  const line = await lines.next();
  if (line.done === true) throw new Error("the guest agent's port was closed");
  return line.value;
}
