/**
 * Work on a VM that may be asked for again while it goes on, because an answer was late or lost: it is done once, and all
 * who asked have its end.
 */
import type { VmId } from "@godwit/contract";

export class SharedWork<T> {
  readonly #underWay = new Map<VmId, Promise<T>>();

  async do(id: VmId, work: () => Promise<T>): Promise<T> {
    const before = this.#underWay.get(id);
    if (before !== undefined) return await before;
    const now = work().finally(() => {
      this.#underWay.delete(id);
    });
    this.#underWay.set(id, now);
    return await now;
  }
}
