/**
 * A new stream for the rest of a post-copy, by way of this agent: the connection to the destination is made here,
 * and QEMU is given its near end as a unix socket. QEMU itself must never be left connecting: it cannot be told to
 * stop that, and one that has two such attempts under way aborts when the second succeeds (seen with 7.2.22).
 * What flows is encrypted by the two QEMUs.
 */
import { once } from "node:events";
import { chmod, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { GodwitError } from "@godwit/contract";

const connectMs = 3000;
/** QEMU connects to a unix socket at once, or not at all. */
const acceptMs = 3000;

/**
 * @param offer gives QEMU the socket's path
 * @returns what ends the stream
 * @throws MIGRATION_STREAM_FAILED when the destination cannot be reached or QEMU does not come
 */
export async function relayStream(
  host: string,
  { address, port }: { address: string; port: number },
  path: string,
  offer: (path: string) => Promise<void>,
): Promise<Disposable> {
  const far = await reached(host, address, port);
  const server = createServer({ allowHalfOpen: false });
  try {
    await rm(path, { force: true });
    server.listen(path);
    await once(server, "listening");
    await chmod(path, 0o666); // QEMU has a user of its own; the folder is closed to others
    const accepted = once(server, "connection", { signal: AbortSignal.timeout(acceptMs) });
    await Promise.all([offer(path), accepted]);
    const [near] = (await accepted) as [Socket];
    join(near, far);
    return { [Symbol.dispose]: () => far.destroy() };
  } catch (error) {
    far.destroy();
    throw GodwitError.is(error) ? error : failed(host, error);
  } finally {
    server.close();
    await rm(path, { force: true });
  }
}

async function reached(host: string, address: string, port: number): Promise<Socket> {
  const socket = connect({ host: address, port, noDelay: true });
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(connectMs) });
    socket.on("error", () => undefined); // its end is told by "close"
    return socket;
  } catch (error) {
    socket.destroy();
    throw failed(host, error);
  }
}

/** The end of one is the end of the other. */
function join(near: Socket, far: Socket): void {
  near.pipe(far);
  far.pipe(near);
  for (const [one, other] of [
    [near, far],
    [far, near],
  ] as const) {
    one.on("error", () => undefined);
    one.on("close", () => other.destroy());
  }
}

function failed(host: string, error: unknown): GodwitError {
  const reason = error instanceof Error ? error.message : String(error);
  return GodwitError.of("MIGRATION_STREAM_FAILED", { host, reason }, { cause: error });
}
