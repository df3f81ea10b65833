/** QMP without a schema, for settings that the product does not know: one command after the other, events are dropped. */
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { sleep } from "@godwit/system";

const openLimitMs = 30_000;

export class RawQmp {
  readonly #socket: Socket;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#reader = createInterface({ input: socket });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  /** A QEMU that starts opens its socket when it can, and tells nobody. */
  static async connect(path: string): Promise<RawQmp> {
    for (const until = performance.now() + openLimitMs; ;) {
      const socket = connect(path);
      try {
        await once(socket, "connect");
        socket.on("error", () => undefined); // its end fails the next command
        const qmp = new RawQmp(socket);
        await qmp.#lines.next();
        await qmp.execute("qmp_capabilities");
        return qmp;
      } catch (error) {
        socket.destroy();
        if (performance.now() > until) throw error;
        await sleep(50);
      }
    }
  }

  /** @throws QEMU's own words */
  async execute(command: string, args?: object): Promise<unknown> {
    this.#socket.write(
      `${JSON.stringify({ execute: command, ...(args === undefined ? {} : { arguments: args }) })}\n`,
    );
    for (;;) {
      const next = await this.#lines.next();
      if (next.done === true) throw new Error(`QEMU has ended before it answered ${command}`);
      const answer = JSON.parse(next.value) as { return?: unknown; error?: { desc: string } };
      if (answer.error !== undefined) throw new Error(`${command}: ${answer.error.desc}`);
      if ("return" in answer) return answer.return;
    }
  }

  close(): void {
    this.#reader.close();
    this.#socket.destroy();
  }
}
