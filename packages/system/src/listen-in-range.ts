/** Listens on the first TCP port of a range that is free. Two that look at once never get the same: the kernel decides. */
import { once } from "node:events";
import { createServer, type Server } from "node:net";

/** @returns null when all are in use. @throws what listening throws, for example EADDRNOTAVAIL */
export async function listenInRange(
  address: string,
  { first, last }: { first: number; last: number },
): Promise<{ server: Server; port: number } | null> {
  for (let port = first; port <= last; port += 1) {
    const server = createServer();
    try {
      server.listen(port, address);
      await once(server, "listening");
      return { server, port };
    } catch (error) {
      server.close();
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    }
  }
  return null;
}
