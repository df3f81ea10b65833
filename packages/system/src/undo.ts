/**
 * Every effect pushes its undo the moment it exists; leaving the scope without `commit()` undoes all
 * of them, last first. An undo that fails is reported and does not keep the others from running.
 */
export class UndoStack implements AsyncDisposable {
  readonly #undos: { what: string; undo: () => unknown }[] = [];
  readonly #onFailure: (what: string, error: unknown) => void;

  constructor(onFailure: (what: string, error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  push(what: string, undo: () => unknown): void {
    this.#undos.push({ what, undo });
  }

  /** Everything went well: nothing is undone any more. */
  commit(): void {
    this.#undos.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (let entry = this.#undos.pop(); entry !== undefined; entry = this.#undos.pop()) {
      try {
        await entry.undo();
      } catch (error) {
        this.#onFailure(entry.what, error);
      }
    }
  }
}
