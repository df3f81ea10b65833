/** A terminal or a pipe attached to a VM's serial console. */
import { hostname, userInfo } from "node:os";
import { consoleMessageSchema, GodwitError, type ConsoleMessage, type Problem } from "@godwit/contract";
import type { Api } from "../connection.ts";
import { splitAtEscape } from "./input.ts";
import { Exit, exitCodes, problemText } from "../output/problem.ts";
import { endedBySignal, RawTerminal } from "./terminal.ts";

/** Of the output before now, for a screen that would else be empty. */
const terminalTailKib = 16;
/** Typed or pasted while the guest reads nothing; what is beyond is dropped, so that the escape is always heard. */
const typedAheadBytes = 64 * 1024;
/** Piped input on its way; beyond it the pipe is not read. */
const pipedAheadBytes = 64 * 1024;

/** Ctrl-C. */
const interruptByte = 0x03;

export interface ConsoleFlags {
  readOnly: boolean;
  log: boolean;
  force: boolean;
  tail?: number;
  linger: number;
}

type Line = Awaited<ReturnType<Api["open"]>>;

/** @throws Exit with 1 when the console was taken over or lost; what the server refuses with */
export async function attach(api: Api, vm: string, flags: ConsoleFlags): Promise<void> {
  const { stdin, stdout } = process;
  const isTerminal = stdin.isTTY && !flags.log;
  const tailKib = flags.tail ?? (isTerminal || flags.log ? terminalTailKib : 0);
  using signal = endedBySignal();
  const line = await api.open("vmConsole", {
    params: { vm },
    query: {
      readOnly: String(flags.readOnly || flags.log),
      force: String(flags.force),
      tailBytes: tailKib * 1024,
      user: `${userInfo().username}@${hostname()}`,
    },
  });
  const over = Promise.withResolvers<Problem | null>();
  const say = (text: string) => {
    process.stderr.write(isTerminal ? `\r\n${text}\r\n` : `${text}\n`);
  };
  const quiet = new Quiet(flags.linger, () => {
    over.resolve(null);
  });
  let host: string | null = null;
  const hear = (message: ConsoleMessage) => {
    if (message.type === "ended") over.resolve(message.problem);
    if (message.type === "waiting") say(`[${vm} is not reached on ${message.host}; looking where it is]`);
    if (message.type !== "attached") return;
    if (host === null && isTerminal) say(`[${vm} on ${message.host}; Ctrl-] leaves]`);
    if (host !== null)
      say(host === message.host ? `[again on ${host}]` : `[moved from ${host} to ${message.host}]`);
    host = message.host;
  };
  line.on("message", (data, isBinary) => {
    if (!isBinary) {
      hear(consoleMessageSchema.parse(JSON.parse((data as Buffer).toString("utf8"))));
      return;
    }
    quiet.stir();
    if (stdout.write(data as Buffer)) return;
    line.pause();
    stdout.once("drain", () => {
      line.resume();
    });
  });
  line.once("close", () => {
    over.resolve(
      GodwitError.of("CONNECTION_FAILED", { url: api.baseUrl, reason: "the connection was closed" }).problem,
    );
  });
  signal.addEventListener("abort", () => {
    over.resolve(null);
  });

  using _terminal = isTerminal ? new RawTerminal() : null;
  const leave = () => {
    over.resolve(null);
  };
  if (isTerminal) takeKeys(flags.readOnly ? null : line, leave);
  else if (flags.log) quiet.begin();
  else if (!flags.readOnly) takePipe(line, quiet);
  line.resume();
  const problem = await over.promise;
  quiet.end();
  line.terminate();
  if (isTerminal) say(`[${vm}: console left]`);
  if (problem === null) return;
  const words = problemText(GodwitError.fromProblem(problem));
  say(isTerminal ? words.replaceAll("\n", "\r\n") : words);
  // A VM that was switched off has ended its console in order.
  if (problem.code !== "VM_NOT_RUNNING" || problem.details.state !== "stopped")
    throw new Exit(exitCodes.failed);
}

/** Keys of a terminal. With nothing to type to, Ctrl-C leaves too. */
function takeKeys(line: Line | null, leave: () => void): void {
  process.stdin.on("data", (typed: Buffer) => {
    const { bytes, leaves } = splitAtEscape(typed);
    const isFull = line !== null && line.bufferedAmount > typedAheadBytes;
    if (line?.readyState === 1 && bytes.length > 0 && !isFull) line.send(bytes, { binary: true });
    if (leaves || (line === null && bytes.includes(interruptByte))) leave();
  });
  process.stdin.once("error", leave);
  process.stdin.once("end", leave);
}

/** A pipe: all of its bytes, as fast as the VM takes them. */
function takePipe(line: Line, quiet: Quiet): void {
  const { stdin } = process;
  stdin.on("data", (bytes: Buffer) => {
    line.send(bytes, { binary: true }, () => {
      if (line.bufferedAmount < pipedAheadBytes / 2) stdin.resume();
    });
    if (line.bufferedAmount > pipedAheadBytes) stdin.pause();
  });
  stdin.once("error", () => {
    quiet.begin();
  });
  stdin.once("end", () => {
    // The last bytes are delivered before the silence counts.
    line.send("", { binary: true }, () => {
      quiet.begin();
    });
  });
}

/** Hears that nothing was said for a while, once it is asked to listen for that. */
class Quiet {
  readonly #ms: number;
  readonly #heard: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number, heard: () => void) {
    this.#ms = ms;
    this.#heard = heard;
  }

  begin(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#heard, this.#ms);
  }

  /** Something was said. */
  stir(): void {
    if (this.#timer !== undefined) this.begin();
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
