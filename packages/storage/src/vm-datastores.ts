/** The datastores of one VM as its host sees them: the one with its folder, and those that only disks of it lie on. */
import type { Datastore } from "./datastore.ts";

export class VmDatastores {
  /** Where the VM's folder lies. */
  readonly own: Datastore;
  readonly #others: ReadonlyMap<string, Datastore>;

  constructor(own: Datastore, others: readonly Datastore[] = []) {
    this.own = own;
    this.#others = new Map(others.map((one) => [one.config.name, one]));
  }

  /** Those with nothing of the VM but disks. */
  get others(): Datastore[] {
    return [...this.#others.values()];
  }

  /** @param name absent: the VM's own. @throws TypeError for one that was not opened */
  named(name: string | undefined): Datastore {
    if (name === undefined || name === this.own.config.name) return this.own;
    const found = this.#others.get(name);
    if (found === undefined) throw new TypeError(`datastore ${name} was not opened`);
    return found;
  }

  /** A disk's image as an absolute path. */
  pathOf({ datastore, path }: { datastore?: string | undefined; path: string }): string {
    return this.named(datastore).resolve(path);
  }
}
