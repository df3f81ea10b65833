/**
 * What a VM's serial console says, read from QEMU's log of it: of what was said while nobody looked the newest megabytes
 * are there, any number of readers see the same, and one that is slow holds up neither the guest nor the others. The
 * file itself is the buffer.
 */
import { watch, type FSWatcher } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { keptBytes } from "../qemu/log-limit.ts";

const chunkBytes = 16 * 1024;

export class SerialOutput implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #watcher: FSWatcher;
  #at: number;
  #changed = false;
  #ended = false;
  #wake: () => void = () => undefined;

  private constructor(file: FileHandle, path: string, at: number) {
    this.#file = file;
    this.#at = at;
    this.#watcher = watch(path, () => {
      this.#ring();
    });
    this.#watcher.on("error", () => undefined);
  }

  /** @param begin where to begin, from the size that the output has now */
  static async open(path: string, begin: (sizeBytes: number) => number): Promise<SerialOutput> {
    const file = await open(path, "r");
    const { size } = await file.stat();
    return new SerialOutput(file, path, Math.max(0, Math.min(size, begin(size))));
  }

  /** Where the next bytes are from. */
  get at(): number {
    return this.#at;
  }

  /** No more will come: what is there is still read. */
  end(): void {
    this.#ended = true;
    this.#ring();
  }

  /** The output in pieces, until it has ended; the next is read when the one before was dealt with. */
  async *pieces(): AsyncGenerator<Buffer> {
    for (;;) {
      await this.#skipLost();
      const buffer = Buffer.allocUnsafe(chunkBytes);
      const { bytesRead } = await this.#file.read(buffer, 0, chunkBytes, this.#at);
      this.#at += bytesRead;
      if (bytesRead > 0) {
        yield buffer.subarray(0, bytesRead);
        continue;
      }
      if (this.#ended) return;
      // Shortened by someone: it goes on at its new end.
      this.#at = Math.min(this.#at, (await this.#file.stat()).size);
      await this.#next();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watcher.close();
    await this.#file.close();
  }

  /** A reader that is slower than its guest goes on where the log still has what was written. */
  async #skipLost(): Promise<void> {
    const { size } = await this.#file.stat();
    if (size - this.#at > keptBytes) this.#at = size - keptBytes;
  }

  #ring(): void {
    this.#changed = true;
    this.#wake();
  }

  /** A change that came while nobody waited is not lost. */
  async #next(): Promise<void> {
    if (!this.#changed) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      this.#wake = () => {
        resolve(undefined);
      };
      await promise;
    }
    this.#changed = false;
  }
}
