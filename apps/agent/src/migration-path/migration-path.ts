/** Both ends of a try of the way of a migration stream, as the server orders it. */
import { GodwitError, type PathProbe } from "@godwit/contract";
import { enableQuickAck } from "@godwit/network";
import type { Logger } from "pino";
import type { AgentConfig } from "../config.ts";
import { ProbeListeners } from "./probe-listeners.ts";
import { tryPath } from "./try-path.ts";

export class MigrationPath {
  readonly #config: Pick<AgentConfig, "name" | "migration">;
  readonly #listeners: ProbeListeners;
  readonly #log: Logger;

  constructor(config: Pick<AgentConfig, "name" | "migration">, log: Logger) {
    this.#config = config;
    this.#listeners = new ProbeListeners(config);
    this.#log = log;
  }

  /** @throws MIGRATION_NETWORK_MISSING, MIGRATION_ADDRESS_ABSENT, MIGRATION_PORTS_TAKEN */
  async listen(secret: string): Promise<{ address: string; port: number }> {
    void this.acknowledgeQuickly();
    return await this.#listeners.listen(secret);
  }

  /** @throws MIGRATION_NETWORK_MISSING, PROGRAM_FAILED */
  async run(target: { secret: string; to: string; address: string; port: number }): Promise<PathProbe> {
    const { name: host, migration } = this.#config;
    if (migration === undefined) throw GodwitError.of("MIGRATION_NETWORK_MISSING", { host });
    void this.acknowledgeQuickly();
    const probe = await tryPath(target, migration.address);
    if (probe.fault !== null) this.#log.warn({ to: target.to, probe }, "the way for migrations is not open");
    return probe;
  }

  /** At the start and before each move: the address may have been put on its interface since. */
  async acknowledgeQuickly(): Promise<void> {
    if (this.#config.migration === undefined) return;
    await enableQuickAck(this.#config.migration.address).catch((error: unknown) => {
      this.#log.warn({ err: error }, "moves from here may stand still some 40 ms longer than they need to");
    });
  }

  close(): void {
    this.#listeners.close();
  }
}
