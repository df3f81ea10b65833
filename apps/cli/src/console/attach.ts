/** A terminal or a pipe attached to a VM's serial console. */
import { hostname, userInfo } from "node:os";
import { readConsoleMessage, GodwitError, type ConsoleMessage, type Problem } from "@godwit/contract";
import type { Api } from "../connection.ts";
import { splitAtEscape } from "./input.ts";
import { Exit, exitCodes, problemText } from "../output/problem.ts";
import { endedBySignal, RawTerminal } from "./terminal.ts";

/** Recent output to show on a terminal, which would otherwise start empty. */
const terminalTailKib = 16;
/** Typed or pasted while the guest reads nothing; more is dropped, so that Ctrl-] always works. */
const typedAheadBytes = 64 * 1024;
/** Piped input that is not delivered yet; while there is more, the pipe is not read. */
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

/** @throws Exit with 1 when the console was taken over or lost; any error of the server */
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
  const onMessage = (message: ConsoleMessage) => {
    if (message.type === "ended") over.resolve(message.problem);
    if (message.type === "waiting") say(`[${vm} does not respond on ${message.host}; looking for its host]`);
    if (message.type !== "attached") return;
    if (host === null && isTerminal) say(`[${vm} on ${message.host}; Ctrl-] disconnects]`);
    if (host !== null)
      say(host === message.host ? `[reconnected on ${host}]` : `[moved from ${host} to ${message.host}]`);
    host = message.host;
  };
  line.on("message", (data, isBinary) => {
    if (!isBinary) {
      const message = readConsoleMessage((data as Buffer).toString("utf8"));
      if (message !== null) onMessage(message);
      return;
    }
    quiet.restart();
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
  if (isTerminal) say(`[${vm}: disconnected]`);
  if (problem === null) return;
  const words = problemText(GodwitError.fromProblem(problem));
  say(isTerminal ? words.replaceAll("\n", "\r\n") : words);
  // A VM that was powered off has ended its console in the normal way.
  if (problem.code !== "VM_NOT_RUNNING" || problem.details.state !== "stopped")
    throw new Exit(exitCodes.failed);
}

/** Sends the keys of a terminal. A read-only console ends at Ctrl-C too. */
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

/** Sends all bytes of a pipe, as fast as the VM takes them. */
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
    // The wait begins after the last bytes are delivered.
    line.send("", { binary: true }, () => {
      quiet.begin();
    });
  });
}

/** Calls back once the VM has written nothing for a while, counted from `begin()`. */
class Quiet {
  readonly #ms: number;
  readonly #onQuiet: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number, onQuiet: () => void) {
    this.#ms = ms;
    this.#onQuiet = onQuiet;
  }

  begin(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#onQuiet, this.#ms);
  }

  /** The VM wrote something. */
  restart(): void {
    if (this.#timer !== undefined) this.begin();
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
