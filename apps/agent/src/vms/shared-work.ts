/**
 * Work on a VM that may be asked for again while it goes on, because an answer was late or lost: it is done once, and all
 * who asked have its end.
 */

export class SharedWork<T> {
  readonly #underWay = new Map<string, Promise<T>>();

  /** @param id of the work: of the VM, where there is one of this kind at a time */
  async do(id: string, work: () => Promise<T>): Promise<T> {
    const before = this.#underWay.get(id);
    if (before !== undefined) return await before;
    const now = work().finally(() => {
      this.#underWay.delete(id);
    });
    this.#underWay.set(id, now);
    return await now;
  }

  /** Resolves when what is under way has ended, however it has. */
  async settled(id: string): Promise<void> {
    await this.#underWay.get(id)?.catch(() => undefined);
  }
}
