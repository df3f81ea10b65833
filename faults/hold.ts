/** A pause point of one agent, held from outside: reached, then let go. */
import { once } from "node:events";
import { watch } from "node:fs";
import { access, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Lab } from "@godwit/lab";
import type { Phase } from "./phases.ts";

export class Hold implements AsyncDisposable {
  readonly #folder: string;
  readonly #phase: Phase;

  private constructor(folder: string, phase: Phase) {
    this.#folder = folder;
    this.#phase = phase;
  }

  static async at(lab: Lab, host: string, phase: Phase): Promise<Hold> {
    const hold = new Hold(lab.host(host).pauseFolder, phase);
    await mkdir(hold.#folder, { recursive: true });
    await rm(hold.#reached, { force: true });
    await writeFile(hold.#hold, "");
    return hold;
  }

  /** Resolves when a move stands still there. */
  async reached(signal: AbortSignal): Promise<void> {
    const watcher = watch(this.#folder);
    try {
      for (;;) {
        const changed = once(watcher, "change", { signal });
        changed.catch(() => undefined);
        const isThere = await access(this.#reached).then(
          () => true,
          () => false,
        );
        if (isThere) return;
        await changed;
      }
    } finally {
      watcher.close();
    }
  }

  async letGo(): Promise<void> {
    await rm(this.#hold, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.letGo();
  }

  get #hold(): string {
    return join(this.#folder, `${this.#phase}.hold`);
  }
  get #reached(): string {
    return join(this.#folder, `${this.#phase}.reached`);
  }
}
