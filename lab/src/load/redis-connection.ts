/**
 * One connection to redis, one command at a time. Bare on purpose: a client library would connect again
 * by itself and hide what the load is there to see.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export type Reply = number | string | null | Reply[];

export class RedisConnection {
  readonly #socket: Socket;
  #buffer = Buffer.alloc(0);
  #waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void } | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk]);
      this.#deliver();
    });
    socket.on("close", () => {
      this.#waiting?.reject(new Error("the connection was closed"));
    });
    socket.on("error", () => undefined);
  }

  static async open(host: string, port: number): Promise<RedisConnection> {
    const socket = connect({ host, port, noDelay: true });
    try {
      await once(socket, "connect", { signal: AbortSignal.timeout(1000) });
    } catch (error) {
      socket.destroy();
      throw error;
    }
    return new RedisConnection(socket);
  }

  /** Sends a command and waits for its answer, however long that takes. @throws when redis refuses or the connection breaks */
  async command(...words: string[]): Promise<Reply> {
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    this.#waiting = { resolve, reject };
    if (this.#socket.destroyed) reject(new Error("the connection was closed"));
    const parts = words.map((word) => `$${String(Buffer.byteLength(word))}\r\n${word}\r\n`);
    this.#socket.write(`*${String(words.length)}\r\n${parts.join("")}`);
    return await promise;
  }

  close(): void {
    this.#socket.end();
  }

  /** Waits for nothing any more. */
  abort(): void {
    this.#socket.destroy();
  }

  #deliver(): void {
    const reader = { at: 0 };
    let reply: Reply | undefined;
    try {
      reply = readReply(this.#buffer, reader);
    } catch (error) {
      this.#waiting?.reject(error as Error);
      return;
    }
    if (reply === undefined) return;
    this.#buffer = this.#buffer.subarray(reader.at);
    this.#waiting?.resolve(reply);
  }
}

/** One RESP reply from `reader.at` on; undefined while it is incomplete. @throws redis' own error */
function readReply(buffer: Buffer, reader: { at: number }): Reply | undefined {
  const end = buffer.indexOf("\r\n", reader.at);
  if (end === -1) return undefined;
  const kind = String.fromCharCode(buffer[reader.at] ?? 0);
  const text = buffer.toString("utf8", reader.at + 1, end);
  reader.at = end + 2;
  switch (kind) {
    case ":":
      return Number(text);
    case "+":
      return text;
    case "-":
      throw new Error(text);
    case "$": {
      const length = Number(text);
      if (length < 0) return null;
      if (buffer.length < reader.at + length + 2) return undefined;
      const body = buffer.toString("utf8", reader.at, reader.at + length);
      reader.at += length + 2;
      return body;
    }
    case "*": {
      const items: Reply[] = [];
      for (let index = 0; index < Number(text); index++) {
        const item = readReply(buffer, reader);
        if (item === undefined) return undefined;
        items.push(item);
      }
      return items;
    }
    default:
      throw new Error(`not a redis reply: ${kind}${text}`);
  }
}
