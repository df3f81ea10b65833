/**
 * QEMU's guest agent, by the socket of its port: the program in the guest that does what only the guest can. It may
 * be missing, busy, or still answer an earlier command; so each session is short and starts by synchronizing
 * (`guest-sync-delimited`). Whatever the guest writes, little of it is read.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import {
  GuestLines,
  interfacesIn,
  isSyncAnswer,
  refusalIn,
  type GuestInterface,
} from "./guest-agent-answers.ts";

/** Ends what the agent may have read of an earlier, unfinished command. */
const flush = Buffer.from([0xff]);

/**
 * Sets the guest's clock to this host's.
 *
 * @param path of the port's socket
 * @throws Error when the guest does not answer within `limitMs`, or refuses
 */
export async function setGuestClock(path: string, limitMs: number): Promise<void> {
  // QEMU's reference: ns since 1970, UTC.
  const time = () => Math.round((performance.timeOrigin + performance.now()) * 1000) * 1000;
  await ask(path, limitMs, () => ({ execute: "guest-set-time", arguments: { time: time() } }));
}

/**
 * The addresses that the guest says its interfaces have, as many as anybody reads.
 *
 * @param path of the port's socket
 * @throws Error when the guest does not answer within `limitMs`, or refuses
 */
export async function guestInterfaces(path: string, limitMs: number): Promise<GuestInterface[]> {
  return interfacesIn(await ask(path, limitMs, () => ({ execute: "guest-network-get-interfaces" })));
}

/** Whether the guest agent answers within `limitMs`. @param path of the port's socket */
export async function guestAnswers(path: string, limitMs: number): Promise<boolean> {
  return await ask(path, limitMs, () => ({ execute: "guest-ping" })).then(
    () => true,
    () => false,
  );
}

/** @param command made when the guest listens. @returns the line of the answer */
async function ask(path: string, limitMs: number, command: () => object): Promise<string> {
  const signal = AbortSignal.timeout(limitMs);
  const socket = connect(path);
  try {
    await once(socket, "connect", { signal });
    const lines = linesOf(socket, signal);
    await synchronize(socket, lines);
    socket.write(`${JSON.stringify(command())}\n`);
    const answer = await next(lines);
    const refusal = refusalIn(answer);
    if (refusal !== null) throw new Error(refusal);
    return answer;
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
  const read = new GuestLines();
  for await (const chunk of socket as AsyncIterable<Buffer>) yield* read.push(chunk);
}

/** Everything up to the answer that has this number belongs to earlier commands. */
async function synchronize(socket: Socket, lines: AsyncIterator<string>): Promise<void> {
  const id = Math.floor(Math.random() * 2 ** 31);
  socket.write(flush);
  socket.write(`${JSON.stringify({ execute: "guest-sync-delimited", arguments: { id } })}\n`);
  for (;;) if (isSyncAnswer(await next(lines), id)) return;
}

async function next(lines: AsyncIterator<string>): Promise<string> {
  const line = await lines.next();
  if (line.done === true) throw new Error("the guest agent's port was closed");
  return line.value;
}
