/** Where a command writes: results to standard output, progress to standard error. Nothing else writes there. */
import { printable, printableCell, printableJson } from "./printable.ts";

/** One JSON document and nothing else. */
export function writeJson(value: unknown): void {
  process.stdout.write(`${printableJson(JSON.stringify(value, null, 2))}\n`);
}

export function writeLine(text = ""): void {
  process.stdout.write(`${printable(text)}\n`);
}

/** Beside the result: what went wrong, or is to be noted. */
export function writeNote(text: string): void {
  process.stderr.write(`${printable(text)}\n`);
}

/** Progress: a line that is replaced on a terminal, plain lines elsewhere. */
export class StatusLine {
  readonly #terminal = process.stderr.isTTY;
  #shown = false;

  /** Replaced by the next one. */
  update(said: string): void {
    if (!this.#terminal) return;
    const text = printableCell(said);
    const width = process.stderr.columns;
    process.stderr.write(`\r\x1b[2K${text.length > width ? `${text.slice(0, width - 1)}…` : text}`);
    this.#shown = true;
  }

  /** Stays. */
  line(text: string): void {
    this.clear();
    writeNote(text);
  }

  clear(): void {
    if (this.#shown) process.stderr.write("\r\x1b[2K");
    this.#shown = false;
  }

  get isTerminal(): boolean {
    return this.#terminal;
  }
}
