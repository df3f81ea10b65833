/**
 * A QMP session over a unix socket: greeting, capabilities (with out-of-band execution where QEMU
 * offers it), replies matched by id, events to listeners.
 *
 * A session is in exactly one state: connecting -> running -> ended. When it ends, for whatever reason,
 * every call that waits fails with QMP_INTERRUPTED: its outcome at QEMU is unknown. A call that QEMU
 * answered with an error fails with QMP_REFUSED: it was surely not done.
 */
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { GodwitError } from "@godwit/contract";
import { z } from "zod";
import {
  commands,
  type CommandArguments,
  type CommandName,
  type CommandReply,
  type EventName,
} from "./commands.ts";
import { FrameReader, type Frame } from "./frames.ts";

export interface QmpEvent {
  name: EventName;
  data: Record<string, unknown>;
  /** QEMU's own clock (host wall clock), microseconds since 1970. */
  timestampUs: number;
}

/** QEMU says some KiB in a second, and 400 KiB of its schema once. One that floods is read later, not all the time. */
const bytesPerSecond = 8 * 1024 * 1024;
/**
 * QEMU reads no command any more, also none out of band, when eight wait in its queue, as where its main loop stands still. Those that a
 * post-copy is recovered by are out of band.
 */
const mostOverdue = 4;

type SessionState = "connecting" | "running" | "ended";

interface PendingCall {
  command: string;
  resolve: (reply: unknown) => void;
  reject: (error: GodwitError) => void;
}

const greetingSchema = z.object({ QMP: z.object({ capabilities: z.array(z.string()) }) });
const errorSchema = z.object({ class: z.string(), desc: z.string() });
const eventSchema = z.object({
  event: z.string(),
  data: z.record(z.string(), z.unknown()).default({}),
  timestamp: z.object({ seconds: z.number(), microseconds: z.number() }),
});

export interface ExecuteOptions {
  /** Answered even while QEMU's main loop is busy; only for commands that allow it. */
  outOfBand?: boolean;
  /** Default 10 000. */
  timeoutMs?: number;
}

export class QmpSession {
  /** Resolves with the reason when the session is over. */
  readonly ended: Promise<string>;
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  readonly #pending = new Map<string, PendingCall>();
  /** Calls that nobody waits for any more, and that QEMU may still have in its queue. */
  readonly #overdue = new Set<string>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  readonly #greeted = Promise.withResolvers<Frame>();
  readonly #end = Promise.withResolvers<string>();
  #state: SessionState = "connecting";
  #isReadToItsEnd = false;
  #nextId = 1;
  #outOfBand = false;
  #secondBeganAt = performance.now();
  #bytesOfSecond = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.ended = this.#end.promise;
    this.#greeted.promise.catch(() => undefined);
    socket.on("data", (chunk: Buffer) => {
      this.#receive(chunk);
    });
    socket.on("end", () => {
      this.#isReadToItsEnd = true;
    });
    // Among others of a command for a QEMU that has just died: what it had said before is then not read any more.
    socket.on("error", (error) => {
      this.#finish(error.message);
    });
    socket.on("close", () => {
      this.#finish("QEMU closed the connection");
    });
  }

  /**
   * Connects and negotiates.
   * @throws QMP_INTERRUPTED when nobody answers as QEMU does within `timeoutMs` (default 5000)
   */
  static async connect(path: string, options: { timeoutMs?: number } = {}): Promise<QmpSession> {
    const timeoutMs = options.timeoutMs ?? 5000;
    const socket = createConnection({ path });
    const session = new QmpSession(socket);
    const timer = afterSilence(timeoutMs, () => {
      if (session.#state !== "running") session.#finish(`no greeting within ${String(timeoutMs)} ms`);
    });
    try {
      await Promise.race([once(socket, "connect"), session.#greeted.promise]);
      const greeting = greetingSchema.parse(await session.#greeted.promise);
      session.#outOfBand = greeting.QMP.capabilities.includes("oob");
      await session.#call("qmp_capabilities", session.#outOfBand ? { enable: ["oob"] } : {}, { timeoutMs });
      session.#state = "running";
      return session;
    } catch (error) {
      session.close();
      throw GodwitError.is(error) ? error : interrupted("qmp_capabilities", messageOf(error), error);
    } finally {
      clearTimeout(timer);
    }
  }

  get isRunning(): boolean {
    return this.#state === "running";
  }

  /** The session was ended by QEMU, and all that QEMU said before was received. */
  get isReadToItsEnd(): boolean {
    return this.#isReadToItsEnd;
  }

  /**
   * Executes a command.
   * @throws QMP_REFUSED when QEMU answers with an error; QMP_INTERRUPTED when no answer came
   */
  async execute<C extends CommandName>(
    command: C,
    args?: CommandArguments<C>,
    options: ExecuteOptions = {},
  ): Promise<CommandReply<C>> {
    const reply = await this.#call(command, args ?? {}, options);
    const parsed = commands[command].reply.safeParse(reply);
    if (!parsed.success) {
      throw interrupted(
        command,
        `its answer has another shape: ${parsed.error.issues.map((i) => i.message).join("; ")}`,
      );
    }
    return parsed.data as CommandReply<C>;
  }

  /** Receives every event from now on, in order, until disposed. Open it before the command that causes them. */
  onEvent(listener: (event: QmpEvent) => void): Disposable {
    this.#listeners.add(listener);
    return {
      [Symbol.dispose]: () => {
        this.#listeners.delete(listener);
      },
    };
  }

  /** The first event from now on that fits. @throws QMP_INTERRUPTED when the session ends or the time is over */
  nextEvent(fits: (event: QmpEvent) => boolean, timeoutMs: number): Promise<QmpEvent> {
    const { promise, resolve, reject } = Promise.withResolvers<QmpEvent>();
    const listener = this.onEvent((event) => {
      if (fits(event)) resolve(event);
    });
    const timer = afterSilence(timeoutMs, () => {
      reject(interrupted("an event", `it did not come within ${String(timeoutMs)} ms`));
    });
    void this.ended.then((reason) => {
      reject(interrupted("an event", reason));
    });
    return promise.finally(() => {
      clearTimeout(timer);
      listener[Symbol.dispose]();
    });
  }

  close(): void {
    this.#finish("closed");
  }

  #call(command: string, args: object, options: ExecuteOptions): Promise<unknown> {
    if (this.#state === "ended") return Promise.reject(interrupted(command, "the session has ended"));
    const isOutOfBand = options.outOfBand === true && this.#outOfBand;
    if (!isOutOfBand && this.#overdue.size >= mostOverdue)
      return Promise.reject(
        interrupted(command, `the last ${String(mostOverdue)} commands were not answered`),
      );
    const id = String(this.#nextId++);
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const timeoutMs = options.timeoutMs ?? 10_000;
    const timer = afterSilence(timeoutMs, () => {
      this.#pending.delete(id);
      if (!isOutOfBand) this.#overdue.add(id);
      reject(interrupted(command, `no answer within ${String(timeoutMs)} ms`));
    });
    this.#pending.set(id, { command, resolve, reject });
    const key = isOutOfBand ? "exec-oob" : "execute";
    // QEMU answers at the last brace. What came after that, unread where it ends just then, would reset the connection with its last words.
    this.#socket.write(`\n${JSON.stringify({ [key]: command, arguments: args, id })}`);
    return promise.finally(() => {
      clearTimeout(timer);
    });
  }

  #receive(chunk: Buffer): void {
    this.#pace(chunk.length);
    try {
      for (const frame of this.#reader.push(chunk)) this.#dispatch(frame);
    } catch (error) {
      this.#finish(`the stream is not QMP: ${messageOf(error)}`);
    }
  }

  #pace(bytes: number): void {
    const leftMs = this.#secondBeganAt + 1000 - performance.now();
    if (leftMs <= 0) {
      this.#secondBeganAt = performance.now();
      this.#bytesOfSecond = 0;
    }
    this.#bytesOfSecond += bytes;
    if (this.#bytesOfSecond <= bytesPerSecond || leftMs <= 0) return;
    this.#socket.pause();
    setTimeout(() => this.#socket.resume(), leftMs).unref();
  }

  #dispatch(frame: Frame): void {
    if ("QMP" in frame) {
      this.#greeted.resolve(frame);
    } else if ("event" in frame) {
      this.#announce(frame);
    } else if (typeof frame.id === "string") {
      const call = this.#pending.get(frame.id);
      this.#pending.delete(frame.id);
      this.#overdue.delete(frame.id);
      if (call === undefined) return; // its caller has stopped waiting
      if ("error" in frame) {
        const error = errorSchema.parse(frame.error);
        call.reject(
          GodwitError.of("QMP_REFUSED", { command: call.command, class: error.class, reason: error.desc }),
        );
      } else {
        call.resolve(frame.return);
      }
    } else if ("error" in frame) {
      throw new Error(`QEMU could not read a command: ${errorSchema.parse(frame.error).desc}`);
    }
  }

  #announce(frame: Frame): void {
    const { event, data, timestamp } = eventSchema.parse(frame);
    const heard: QmpEvent = {
      name: event as EventName,
      data,
      timestampUs: timestamp.seconds * 1_000_000 + timestamp.microseconds,
    };
    for (const listener of [...this.#listeners]) listener(heard);
  }

  #finish(reason: string): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#socket.destroy();
    this.#greeted.reject(interrupted("qmp_capabilities", reason));
    for (const call of this.#pending.values()) call.reject(interrupted(call.command, reason));
    this.#pending.clear();
    this.#end.resolve(reason);
  }
}

function interrupted(command: string, reason: string, cause?: unknown): GodwitError {
  return GodwitError.of("QMP_INTERRUPTED", { command, reason }, { cause });
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** What came in while this program itself stood still is read first: its own stall is not QEMU's silence. */
const afterSilence = (ms: number, silent: () => void): NodeJS.Timeout =>
  setTimeout(() => {
    setImmediate(silent);
  }, ms);
