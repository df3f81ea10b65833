/**
 * Lines of JSON from a byte stream, however it is divided into chunks. Refuses lines that are too long or
 * not JSON objects: the stream cannot be trusted after that, and the session ends.
 */
import { parseJson } from "@godwit/contract";

export type Frame = Record<string, unknown>;

/** More than any reply of QEMU; `query-qmp-schema` is about 400 KiB. */
export const maxLineBytes = 8 * 1024 * 1024;

export class FrameReader {
  #parts: Buffer[] = [];
  #length = 0;
  readonly #maxLineBytes: number;

  constructor(limit = maxLineBytes) {
    this.#maxLineBytes = limit;
  }

  /** Takes the next bytes. @returns the frames that they complete. @throws Error when the stream is no longer sound */
  push(chunk: Buffer): Frame[] {
    const frames: Frame[] = [];
    let start = 0;
    for (let end = chunk.indexOf(0x0a, start); end !== -1; end = chunk.indexOf(0x0a, start)) {
      const line = this.#take(chunk.subarray(start, end));
      start = end + 1;
      if (line.trim() !== "") frames.push(parseFrame(line));
    }
    this.#keep(chunk.subarray(start));
    return frames;
  }

  /** Bytes of a line that has not ended yet. */
  get pendingBytes(): number {
    return this.#length;
  }

  #take(last: Buffer): string {
    this.#keep(last);
    const line = Buffer.concat(this.#parts).toString("utf8");
    this.#parts = [];
    this.#length = 0;
    return line;
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return;
    this.#length += part.length;
    if (this.#length > this.#maxLineBytes) {
      throw new Error(`a line is longer than ${String(this.#maxLineBytes)} bytes`);
    }
    this.#parts.push(part);
  }
}

function parseFrame(line: string): Frame {
  let value: unknown;
  try {
    value = parseJson(line);
  } catch {
    throw new Error(`a line is not JSON: ${line.slice(0, 80)}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(`a line is not a JSON object: ${line.slice(0, 80)}`);
  }
  return value as Frame;
}
