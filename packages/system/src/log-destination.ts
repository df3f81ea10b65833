/**
 * Where a program's log lines go: a file descriptor that may be a full disk, a pipe that nobody reads, or a frozen one.
 * A line is never waited for and never ends the program. Lines wait in a buffer that is bounded; those that do not fit
 * are dropped, and counted in a line of its own as soon as lines can be written again.
 */
import { constants, fstatSync, openSync, readFileSync, write, writeSync } from "node:fs";
import { Socket } from "node:net";

const maxWaitingBytes = 4 * 1024 * 1024;
/** A disk that was full has room again some day. */
const retryMs = 1000;
const fileChunkBytes = 64 * 1024;
/** How long the end of the process waits for the write that a thread does. */
const lastWriteMs = 2000;

export interface LogDestination {
  write(line: string): void;
  /** Lines that were not and will not be written. */
  readonly dropped: number;
}

/** @param fd where to write; at the end of the process what can be written at once still is */
export function openLog(fd: number): LogDestination {
  const stat = fstatSync(fd);
  const log =
    stat.isFIFO() || stat.isSocket()
      ? new StreamLog(stat.isFIFO() ? ownDescription(fd) : fd)
      : new FileLog(fd);
  // What a pipe still has waiting it has tried to write: its reader is late, and is not waited for.
  if (log instanceof FileLog) {
    process.on("exit", () => {
      log.flush();
    });
  }
  return log;
}

/** What both kinds share: the bounded buffer and its count. */
abstract class BoundedLog implements LogDestination {
  dropped = 0;
  #told = 0;

  protected abstract readonly waitingBytes: number;
  protected abstract put(line: string): void;

  write(line: string): void {
    if (this.waitingBytes + line.length > maxWaitingBytes) {
      this.dropped += 1;
      return;
    }
    if (this.dropped > this.#told) {
      const count = this.dropped - this.#told;
      this.#told = this.dropped;
      const msg = `${String(count)} log lines were dropped: they could not be written in time`;
      this.put(`${JSON.stringify({ level: 40, time: Date.now(), dropped: count, msg })}\n`);
    }
    this.put(line);
  }
}

/** A pipe or socket: written to without blocking, so that no thread waits for a reader either. */
class StreamLog extends BoundedLog {
  readonly #socket: Socket;
  #isBroken = false;

  constructor(fd: number) {
    super();
    this.#socket = new Socket({ fd, readable: false, writable: true });
    this.#socket.unref();
    // Its reader has gone for good: nothing is written any more, and nothing is said about it.
    this.#socket.on("error", () => {
      this.#isBroken = true;
    });
  }

  protected get waitingBytes(): number {
    return this.#isBroken ? Infinity : this.#socket.writableLength;
  }

  protected put(line: string): void {
    this.#socket.write(line);
  }
}

/** A pipe is opened again: that it does not block must hold for this program only, not for others that write to it. */
function ownDescription(fd: number): number {
  try {
    return openSync(`/proc/self/fd/${String(fd)}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return fd;
  }
}

/** A file, a terminal or a device: one write at a time, in a thread. */
class FileLog extends BoundedLog {
  readonly #fd: number;
  readonly #hasPosition: boolean;
  #waiting: string[] = [];
  #isWriting = false;
  #failed = false;
  /** Where the file stands once the thread has written. */
  #positionAfter = 0;
  protected waitingBytes = 0;

  constructor(fd: number) {
    super();
    this.#fd = fd;
    this.#hasPosition = fstatSync(fd).isFile();
  }

  protected put(line: string): void {
    this.#waiting.push(line);
    this.waitingBytes += line.length;
    if (!this.#isWriting) this.#next();
  }

  flush(): void {
    // A disk that refused the last write, or does not end it, is not asked again.
    if (this.#failed || this.#waiting.length === 0 || !this.#threadEnds()) return;
    try {
      writeSync(this.#fd, this.#waiting.join(""));
    } catch {
      // The disk is full, and this is the end: nobody can be told.
    }
  }

  /** What a thread is writing comes before what still waits: the process has no event loop any more, and looks by itself. */
  #threadEnds(): boolean {
    const latest = performance.now() + lastWriteMs;
    while (this.#isWriting && this.#position() < this.#positionAfter) {
      if (performance.now() > latest) return false;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
    return true;
  }

  #next(): void {
    let text = "";
    let lines = 0;
    while (lines < this.#waiting.length && text.length < fileChunkBytes) {
      text += this.#waiting[lines] ?? "";
      lines += 1;
    }
    this.#waiting = this.#waiting.slice(lines);
    if (text === "") {
      this.#isWriting = false;
      return;
    }
    this.#write(Buffer.from(text), text.length);
  }

  /** @param counted of the buffer, when all of it is written */
  #write(bytes: Buffer, counted: number): void {
    this.#isWriting = true;
    this.#positionAfter = this.#position() + bytes.length;
    write(this.#fd, bytes, (error, written) => {
      this.#failed = error !== null;
      if (error !== null) {
        setTimeout(() => {
          this.#write(bytes, counted);
        }, retryMs).unref();
        return;
      }
      if (written < bytes.length) {
        this.#write(bytes.subarray(written), counted);
        return;
      }
      this.waitingBytes -= counted;
      this.#next();
    });
  }

  /** Where the file stands, in bytes; Infinity for what has no position, as a terminal, and where that cannot be read. */
  #position(): number {
    if (!this.#hasPosition) return Infinity;
    try {
      const text = readFileSync(`/proc/self/fdinfo/${String(this.#fd)}`, "utf8");
      return Number(/^pos:\s*(\d+)$/m.exec(text)?.[1] ?? Infinity);
    } catch {
      return Infinity;
    }
  }
}
