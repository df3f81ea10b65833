/** A stream from a QEMU: the agent listens at a unix socket in the VM's run folder, and QEMU connects to it. */
import { once } from "node:events";
import { chmod, chown, rm, stat } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { dirname } from "node:path";

/** QEMU connects to a unix socket at once, or not at all. */
const acceptMs = 3000;

/**
 * @param path of the socket, which is there until QEMU has connected
 * @param offer gives QEMU that path
 * @throws what `offer` throws; AbortError when QEMU does not come; the system's error
 */
export async function acceptQemu(path: string, offer: (path: string) => Promise<void>): Promise<Socket> {
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
    return (await accepted)[0] as Socket;
  } catch (error) {
    near?.destroy();
    throw error;
  } finally {
    server.close();
    await rm(path, { force: true });
  }
}
