/**
 * Further links of the migration network, beside the one of its address: streams go over all of them at once, and over those
 * that are left when one is cut (Multipath TCP). Used where this host's kernel and QEMU can; whether the other host uses them
 * too the two kernels find out, and a stream is plain TCP where it does not.
 */
import type { Hypervisor } from "@godwit/hypervisor";
import { offerAddresses } from "@godwit/network";
import type { Logger } from "pino";
import type { AgentConfig } from "../config.ts";
import { reasonOf } from "../reason.ts";

/** What was offered is looked at again after so long: an administrator may have taken it away. */
const offerEveryMs = 60_000;

export class FurtherLinks {
  readonly #addresses: readonly string[];
  readonly #hypervisor: Pick<Hypervisor, "facts">;
  readonly #log: Logger;
  #problem: string | null = "they were not tried yet";
  #offeredAtMs = -Infinity;

  constructor(
    { migration }: Pick<AgentConfig, "migration">,
    hypervisor: Pick<Hypervisor, "facts">,
    log: Logger,
  ) {
    this.#addresses = migration?.also ?? [];
    this.#hypervisor = hypervisor;
    this.#log = log;
  }

  /** Why streams go over one link only, the end of a sentence; null: they go over all, or there is but one. */
  get problem(): string | null {
    return this.#addresses.length === 0 ? null : this.#problem;
  }

  /** Whether streams are to be made over them. */
  get areUsed(): boolean {
    return this.#addresses.length > 0 && this.#problem === null;
  }

  /** At the start and before a move: an address may have been put on its interface since. Never rejects. */
  async offer(): Promise<void> {
    if (this.#addresses.length === 0 || performance.now() - this.#offeredAtMs < offerEveryMs) return;
    const problem = await this.#offered().catch(reasonOf);
    if (problem !== null && problem !== this.#problem)
      this.#log.warn({ reason: problem }, "migration streams of this host go over one link only");
    this.#problem = problem;
    if (problem === null) this.#offeredAtMs = performance.now();
  }

  async #offered(): Promise<string | null> {
    const { multipath, version } = await this.#hypervisor.facts();
    if (multipath !== true) return `QEMU ${version} has no Multipath TCP`;
    return await offerAddresses(this.#addresses);
  }
}
