/**
 * Who works on a VM at the moment: a move, a start, a stop, or the reconciler of its lease. One at a time;
 * the reconciler and announcements are short and are waited for, everything else refuses the newcomer.
 */
import { GodwitError, type VmId } from "@godwit/contract";

interface Claim {
  what: string;
  task: string;
  /** Set where the claim is short: the next one waits for its end. */
  ended: Promise<undefined> | null;
}

export class Claims {
  readonly #claims = new Map<VmId, Claim>();
  /** What is done when a VM is free again, each once, by what it is for. */
  readonly #waiting = new Map<VmId, Map<string, () => void>>();

  get claimed(): ReadonlySet<VmId> {
    return new Set(this.#claims.keys());
  }

  /** Whether somebody works on the VM who is not through at once. */
  isHeld(vmId: VmId): boolean {
    return this.#claims.get(vmId)?.ended === null;
  }

  /** @param what is done, as in "it is being moved". @throws VM_BUSY */
  async claim(vm: { id: VmId; name: string }, what: string, task = ""): Promise<Disposable> {
    return await this.#afterShort(vm, () => this.#enter(vm.id, { what, task, ended: null }));
  }

  /** A short claim, after others. @throws VM_BUSY */
  async claimShort(vm: { id: VmId; name: string }, what: string): Promise<Disposable> {
    return await this.#afterShort(vm, () => this.#enterShort(vm.id, what));
  }

  /** A short claim; null when someone else works on the VM. */
  tryShort(vmId: VmId, what: string): Disposable | null {
    return this.#claims.has(vmId) ? null : this.#enterShort(vmId, what);
  }

  /** @param enter called at once when nobody works on the VM. @throws VM_BUSY */
  async #afterShort(vm: { id: VmId; name: string }, enter: () => Disposable): Promise<Disposable> {
    for (let other = this.#claims.get(vm.id); other !== undefined; other = this.#claims.get(vm.id)) {
      if (other.ended === null)
        throw GodwitError.of("VM_BUSY", { vm: vm.name, task: other.task, what: other.what });
      await other.ended;
    }
    return enter();
  }

  #enterShort(vmId: VmId, what: string): Disposable {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const claim = this.#enter(vmId, { what, task: "", ended: promise });
    return {
      [Symbol.dispose]: () => {
        claim[Symbol.dispose]();
        resolve(undefined);
      },
    };
  }

  /**
   * For who was refused and must look again: calls back once, when nobody works on the VM any more.
   * @param what it is for; asked for again meanwhile, it is called back once
   */
  whenFree(vmId: VmId, what: string, act: () => void): void {
    const waiting = this.#waiting.get(vmId) ?? new Map<string, () => void>();
    this.#waiting.set(vmId, waiting.set(what, act));
    if (!this.#claims.has(vmId)) this.#free(vmId);
  }

  #enter(vmId: VmId, claim: Claim): Disposable {
    this.#claims.set(vmId, claim);
    return {
      [Symbol.dispose]: () => {
        if (this.#claims.get(vmId) !== claim) return;
        this.#claims.delete(vmId);
        this.#free(vmId);
      },
    };
  }

  /** A little later: who holds the claim is not through yet, and who waits for it comes first. */
  #free(vmId: VmId): void {
    if (!this.#waiting.has(vmId)) return;
    setImmediate(() => {
      if (this.#claims.has(vmId)) return; // claimed again: at the end of that
      const waiting = this.#waiting.get(vmId);
      this.#waiting.delete(vmId);
      for (const act of waiting?.values() ?? []) act();
    });
  }
}
