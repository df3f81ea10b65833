/** Both ends of a try of the way of a migration stream, as the server orders it. */
import { GodwitError, type PathProbe } from "@godwit/contract";
import { enableQuickAck } from "@godwit/network";
import type { Logger } from "pino";
import type { AgentConfig } from "../config.ts";
import type { FurtherLinks } from "./further-links.ts";
import { ProbeListeners } from "./probe-listeners.ts";
import { tryPath } from "./try-path.ts";

/** A route that was made again since then costs a move some 40 ms at most; a look before each one costs every move more. */
const quickAckEveryMs = 60_000;

export class MigrationPath {
  readonly #config: Pick<AgentConfig, "name" | "migration">;
  readonly #furtherLinks: Pick<FurtherLinks, "offer">;
  readonly #listeners: ProbeListeners;
  readonly #log: Logger;
  /** When there was a route, and it was seen to acknowledge quickly. */
  #quickSinceMs = -Infinity;

  constructor(
    config: Pick<AgentConfig, "name" | "migration">,
    furtherLinks: Pick<FurtherLinks, "offer">,
    log: Logger,
  ) {
    this.#config = config;
    this.#furtherLinks = furtherLinks;
    this.#listeners = new ProbeListeners(config);
    this.#log = log;
  }

  /** @throws MIGRATION_NETWORK_MISSING, MIGRATION_ADDRESS_ABSENT, MIGRATION_PORTS_TAKEN */
  async listen(secret: string): Promise<{ address: string; port: number }> {
    void this.prepare();
    return await this.#listeners.listen(secret);
  }

  /** @throws MIGRATION_NETWORK_MISSING, PROGRAM_FAILED */
  async run(target: { secret: string; to: string; address: string; port: number }): Promise<PathProbe> {
    const { name: host, migration } = this.#config;
    if (migration === undefined) throw GodwitError.of("MIGRATION_NETWORK_MISSING", { host });
    void this.prepare();
    const probe = await tryPath(target, migration.address);
    if (probe.fault !== null) this.#log.warn({ to: target.to, probe }, "the way for migrations is not open");
    return probe;
  }

  /** What streams need of this host's network. At the start and before a move: an address may have been put on its interface since. */
  async prepare(): Promise<void> {
    await Promise.all([this.#furtherLinks.offer(), this.#acknowledgeQuickly()]);
  }

  async #acknowledgeQuickly(): Promise<void> {
    const { migration } = this.#config;
    if (migration === undefined || performance.now() - this.#quickSinceMs < quickAckEveryMs) return;
    try {
      if (await enableQuickAck(migration.address)) this.#quickSinceMs = performance.now();
    } catch (error) {
      this.#log.warn({ err: error }, "moves from here may stand still some 40 ms longer than they need to");
    }
  }

  close(): void {
    this.#listeners.close();
  }
}
