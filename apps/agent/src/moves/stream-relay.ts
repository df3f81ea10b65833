/**
 * A new stream for the rest of a post-copy, by way of this agent: the connection to the destination is made here,
 * and QEMU is given its near end as a unix socket. QEMU itself must never be left connecting: it cannot be told to
 * stop that, and one that has two such attempts under way aborts when the second succeeds (seen with 7.2.22).
 * What flows is encrypted by the two QEMUs.
 */
import { once } from "node:events";
import { chmod, chown, rm, stat } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { dirname } from "node:path";
import { GodwitError } from "@godwit/contract";

const connectMs = 3000;
/** QEMU connects to a unix socket at once, or not at all. */
const acceptMs = 3000;

export interface StreamRelay extends Disposable {
  /** Resolves when the stream has ended, at whichever end. */
  readonly closed: Promise<void>;
}

/**
 * @param offer gives QEMU the socket's path
 * @throws MIGRATION_STREAM_FAILED when the destination cannot be reached or QEMU does not come
 */
export async function relayStream(
  host: string,
  { address, port }: { address: string; port: number },
  path: string,
  offer: (path: string) => Promise<void>,
): Promise<StreamRelay> {
  const far = await reached(host, address, port);
  const server = createServer({ allowHalfOpen: false });
  let near: Socket | undefined;
  server.on("connection", (socket) => {
    near = socket;
    socket.on("error", () => undefined); // its end is told by "close"
  });
  try {
    await rm(path, { force: true });
    server.listen(path);
    await once(server, "listening");
    // QEMU has a user of its own, and its run folder that user's group.
    await chown(path, -1, (await stat(dirname(path))).gid);
    await chmod(path, 0o660);
    const accepted = once(server, "connection", { signal: AbortSignal.timeout(acceptMs) });
    await Promise.all([offer(path), accepted]);
    return join((await accepted)[0] as Socket, far);
  } catch (error) {
    far.destroy();
    near?.destroy();
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
function join(near: Socket, far: Socket): StreamRelay {
  near.pipe(far);
  far.pipe(near);
  const closed = Promise.all([ended(near), ended(far)]);
  near.on("close", () => far.destroy());
  far.on("close", () => near.destroy());
  if (far.closed) near.destroy();
  if (near.closed) far.destroy();
  return {
    closed: closed.then(() => undefined),
    [Symbol.dispose]: () => {
      near.destroy();
      far.destroy();
    },
  };
}

/** Also one that was reset, which is an error to whoever waits by `once`. */
async function ended(socket: Socket): Promise<void> {
  if (socket.closed) return;
  await new Promise<void>((resolve) => {
    socket.once("close", () => {
      resolve();
    });
  });
}

function failed(host: string, error: unknown): GodwitError {
  const reason = error instanceof Error ? error.message : String(error);
  return GodwitError.of("MIGRATION_STREAM_FAILED", { host, reason }, { cause: error });
}
