/**
 * The destination's end of a try: listens on the migration address, on a port of the range that QEMU takes too, for one
 * connection of one source. Whoever does not know the secret is told nothing and is ended; a listener goes away with the
 * first try or after some seconds, and there are never many.
 */
import type { Server, Socket } from "node:net";
import { GodwitError } from "@godwit/contract";
import { listenInRange } from "@godwit/system";
import type { AgentConfig } from "../config.ts";
import { bulkBytes, isProof, listenMs, mark, markEvery, proofBytes, proofOf, stallMs } from "./protocol.ts";

/** Tries of different sources; more at once take the place of the oldest. */
const mostListeners = 32;
/** Until a connection has shown its proof. */
const proofMs = 2000;
const mostConnections = 4;

export class ProbeListeners {
  readonly #config: Pick<AgentConfig, "name" | "migration">;
  readonly #open = new Set<Disposable>();

  constructor(config: Pick<AgentConfig, "name" | "migration">) {
    this.#config = config;
  }

  /** @throws MIGRATION_NETWORK_MISSING, MIGRATION_ADDRESS_ABSENT, MIGRATION_PORTS_TAKEN */
  async listen(secret: string): Promise<{ address: string; port: number }> {
    const { name: host, migration } = this.#config;
    if (migration === undefined) throw GodwitError.of("MIGRATION_NETWORK_MISSING", { host });
    const { address, ports } = migration;
    const listener = await listenInRange(address, ports).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== "EADDRNOTAVAIL") throw error;
      throw GodwitError.of("MIGRATION_ADDRESS_ABSENT", { host, address }, { cause: error });
    });
    if (listener === null) throw GodwitError.of("MIGRATION_PORTS_TAKEN", { host, address, ...ports });
    this.#keep(listener.server, secret);
    return { address, port: listener.port };
  }

  /** The agent stops. */
  close(): void {
    for (const one of this.#open) one[Symbol.dispose]();
  }

  #keep(server: Server, secret: string): void {
    const sockets = new Set<Socket>();
    const open: Disposable = {
      [Symbol.dispose]: () => {
        clearTimeout(limit);
        server.close();
        for (const socket of sockets) socket.destroy();
        this.#open.delete(open);
      },
    };
    const limit = setTimeout(() => {
      open[Symbol.dispose]();
    }, listenMs);
    server.maxConnections = mostConnections;
    server.on("error", () => undefined);
    server.on("connection", (socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined); // its end is told by "close"
      socket.on("close", () => sockets.delete(socket));
      answer(socket, secret, () => {
        server.close(); // one source, one try
        socket.on("close", () => {
          open[Symbol.dispose]();
        });
      });
    });
    for (const oldest of this.#open) {
      if (this.#open.size < mostListeners) break;
      oldest[Symbol.dispose]();
    }
    this.#open.add(open);
  }
}

function answer(socket: Socket, secret: string, onProven: () => void): void {
  socket.setNoDelay(true);
  socket.setTimeout(proofMs, () => socket.destroy());
  let proof: Buffer | null = Buffer.alloc(0);
  let received = 0;
  socket.on("data", (data) => {
    let bulk = data;
    if (proof !== null) {
      const missing = proofBytes - proof.length;
      proof = Buffer.concat([proof, data.subarray(0, missing)]);
      if (proof.length < proofBytes) return;
      if (!isProof(proof, secret, "source")) {
        socket.destroy();
        return;
      }
      proof = null;
      bulk = data.subarray(missing);
      socket.setTimeout(stallMs * 2);
      onProven();
      socket.write(proofOf(secret, "destination"));
    }
    const before = received;
    received += bulk.length;
    if (received > bulkBytes) {
      socket.destroy();
      return;
    }
    const marks = Math.floor(received / markEvery) - Math.floor(before / markEvery);
    if (marks > 0) socket.write(Buffer.alloc(marks, mark));
    if (received === bulkBytes && bulk.length > 0) socket.end(Buffer.alloc(bulkBytes));
  });
}
