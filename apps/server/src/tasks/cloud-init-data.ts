/**
 * What guests of VMs that are being created are to be told, until their hosts have it. It may hold secrets, so it is
 * kept in memory only: a server that is restarted has lost it, and a VM that its host was not making yet is not made.
 */
import type { CloudInit, VmId } from "@godwit/contract";

export class CloudInitData {
  readonly #kept = new Map<VmId, CloudInit>();

  keep(id: VmId, cloudInit: CloudInit): void {
    this.#kept.set(id, cloudInit);
  }

  drop(id: VmId): void {
    this.#kept.delete(id);
  }

  /** Dropped when it is disposed. Null: there is none any more. */
  of(id: VmId): Disposable & { readonly value: CloudInit | null } {
    return {
      value: this.#kept.get(id) ?? null,
      [Symbol.dispose]: () => {
        this.drop(id);
      },
    };
  }
}
