/**
 * QEMU's guest agent in a server of the rack: it runs programs and moves files, whether or not the server's network
 * works. One session at a time; each begins by synchronizing, so that answers to an earlier, abandoned one are left out.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { GodwitError } from "@godwit/contract";
import { sleep, type RunResult } from "@godwit/system";
import { z } from "zod";

const replySchema = z.union([
  z.object({ return: z.unknown() }),
  z.object({ error: z.object({ desc: z.string() }) }),
]);
const startedSchema = z.object({ pid: z.int() });
const statusSchema = z.object({
  exited: z.boolean(),
  exitcode: z.int().optional(),
  signal: z.int().optional(),
  "out-data": z.string().optional(),
  "err-data": z.string().optional(),
});

export interface ExecOptions {
  what: string;
  limitMs: number;
  input?: string | Buffer;
}

/** Ends what the agent may have read of an earlier, unfinished command. */
const flush = Buffer.from([0xff]);
/** An emulated server answers in some tenths of a second; asking more often costs it more than it tells. */
const lookEveryMs = 250;
const tooLate = "the server's guest agent did not answer in time";

/** Whether the agent answers now. */
export async function agentAnswers(path: string, limitMs: number): Promise<boolean> {
  try {
    await using _session = await AgentSession.open(path, performance.now() + limitMs);
    return true;
  } catch {
    return false;
  }
}

/**
 * Runs a program in the server.
 * @returns also when it ends with another code than 0; 128 and the signal's number when a signal ended it
 * @throws PROGRAM_FAILED when the agent does not answer in time, or could not start it
 */
export async function execute(
  path: string,
  argv: readonly string[],
  options: ExecOptions,
): Promise<RunResult> {
  const end = performance.now() + options.limitMs;
  try {
    await using session = await AgentSession.open(path, end);
    const [program, ...args] = argv;
    const { pid } = startedSchema.parse(
      await session.call("guest-exec", {
        path: program,
        arg: args,
        "capture-output": true,
        ...(options.input === undefined
          ? {}
          : { "input-data": Buffer.from(options.input).toString("base64") }),
      }),
    );
    // The agent has no events: it is asked again and again.
    for (;;) {
      const status = statusSchema.parse(await session.call("guest-exec-status", { pid }));
      if (status.exited) return resultOf(status);
      await sleep(lookEveryMs);
    }
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw GodwitError.of("PROGRAM_FAILED", { program: argv[0] ?? "", what: options.what, output: words });
  }
}

function resultOf(status: z.output<typeof statusSchema>): RunResult {
  const text = (data: string | undefined) =>
    Buffer.from(data ?? "", "base64")
      .toString("utf8")
      .trimEnd();
  return {
    stdout: text(status["out-data"]),
    stderr: text(status["err-data"]),
    exitCode: status.exitcode ?? 128 + (status.signal ?? 0),
  };
}

/** One conversation. It ends with its scope, or at its time limit. */
class AgentSession implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #lines: AsyncIterator<string>;
  readonly #timer: NodeJS.Timeout;

  private constructor(socket: Socket, end: number) {
    this.#socket = socket;
    const lines = createInterface({ input: socket });
    // A socket that is destroyed does not end, and whoever waits for its next line would wait for ever.
    socket.on("close", () => {
      lines.close();
    });
    this.#lines = lines[Symbol.asyncIterator]();
    // With an error: a socket that is destroyed without one before it is connected tells nobody who waits for that.
    const late = () => socket.destroy(new Error(tooLate));
    this.#timer = setTimeout(late, Math.max(0, end - performance.now()));
  }

  /** @param end on performance's clock. @throws Error when the agent does not answer by then */
  static async open(path: string, end: number): Promise<AgentSession> {
    const socket = connect(path);
    socket.on("error", () => undefined);
    const session = new AgentSession(socket, end);
    try {
      await once(socket, "connect");
      await session.#synchronize();
      return session;
    } catch (error) {
      await session[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** @throws Error with the agent's words when it refuses, or when the session is over */
  async call(command: string, args: object): Promise<unknown> {
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    const reply = replySchema.parse(JSON.parse(await this.#next()));
    if ("error" in reply) throw new Error(reply.error.desc);
    return reply.return;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#socket.closed) return;
    const closed = once(this.#socket, "close");
    this.#socket.destroy();
    await closed;
  }

  async #synchronize(): Promise<void> {
    const id = Math.floor(Math.random() * 2 ** 31);
    this.#socket.write(flush);
    this.#socket.write(`${JSON.stringify({ execute: "guest-sync-delimited", arguments: { id } })}\n`);
    for (;;) {
      const line = await this.#next();
      if (line.includes(`"return": ${String(id)}}`)) return;
    }
  }

  async #next(): Promise<string> {
    const line = await this.#lines.next();
    if (line.done === true) throw new Error(tooLate);
    return line.value;
  }
}
