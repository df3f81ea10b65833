/**
 * A new stream for the rest of a post-copy, by way of this agent: the connection to the destination is made here,
 * and QEMU is given its near end as a unix socket. QEMU itself must never be left connecting: it cannot be told to
 * stop that, and one that has two such attempts under way aborts when the second succeeds (seen with 7.2.22).
 * What flows is encrypted by the two QEMUs.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { GodwitError } from "@godwit/contract";
import { acceptQemu } from "../qemu/accept-qemu.ts";

const connectMs = 3000;

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
  try {
    return join(await acceptQemu(path, offer), far);
  } catch (error) {
    far.destroy();
    throw GodwitError.is(error) ? error : failed(host, error);
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
