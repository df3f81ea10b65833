/** Looks every half minute at how well this host is, with every source that it has. */
import type { HostHealth } from "@godwit/contract";
import type { Logger } from "pino";
import type { AgentConfig } from "../config.ts";
import { reasonOf } from "../reason.ts";
import { RepeatedLook } from "../repeated-look.ts";
import { Disks } from "./disks.ts";
import { SourceAbsent, type HealthSource } from "./health-source.ts";
import { Ipmi } from "./ipmi.ts";
import { Links } from "./links.ts";
import { MemoryErrors } from "./memory-errors.ts";
import { RasEvents } from "./ras-events.ts";
import { asksRedfish, Redfish } from "./redfish.ts";
import { Pressure } from "./pressure.ts";
import { Sensors } from "./sensors.ts";
import { StorageLatency, type StorageProbe } from "./storage-latency.ts";
import { Steal } from "./steal.ts";
import { Steady } from "./steady.ts";
import { Throttling } from "./throttling.ts";

const everyMs = 30_000;
/** More is not told. */
const most = 256;

const rasDatabase = "/var/lib/rasdaemon/ras-mc_event.db";

/** @param storage how the datastores are read */
export const ownSources = (
  { bmc, stateFolder }: Pick<AgentConfig, "bmc" | "stateFolder">,
  storage: StorageProbe,
): HealthSource[] => [
  new MemoryErrors(),
  new RasEvents({ database: rasDatabase, order: `${stateFolder}/rasdaemon.json` }),
  new Sensors(),
  new Ipmi(),
  new Redfish(bmc === undefined ? null : asksRedfish(bmc.redfish)),
  new Disks(),
  new StorageLatency(storage),
  new Links(),
  new Throttling(),
  new Steal(),
  new Pressure(),
];

export class Health {
  readonly #sources: readonly HealthSource[];
  readonly #steady = new Steady();
  readonly #absent = new Map<string, string>();
  /** Null: nobody has looked yet. */
  #last: HostHealth | null = null;

  readonly #log: Logger;

  constructor(log: Logger, sources: readonly HealthSource[]) {
    this.#log = log;
    this.#sources = sources;
  }

  /** As it was when it was looked at last; null: that was not yet. */
  get now(): HostHealth | null {
    return this.#last;
  }

  repeated(): RepeatedLook {
    return new RepeatedLook(
      everyMs,
      () => this.look(performance.now()),
      (error) => {
        this.#log.warn({ err: error }, "how well this host is could not be looked at");
      },
    );
  }

  /** A source that cannot be read keeps what it told before: a failure to look is no recovery. */
  async look(nowMs: number): Promise<void> {
    for (const source of this.#sources) {
      try {
        this.#steady.saw(source.name, await source.look(nowMs), nowMs);
        this.#absent.delete(source.name);
      } catch (error) {
        if (error instanceof SourceAbsent) this.#steady.saw(source.name, [], nowMs);
        this.#absent.set(source.name, reasonOf(error));
      }
    }
    this.#last = {
      findings: this.#steady.findings.slice(0, most),
      sources: this.#sources.map(({ name }) => ({ name, absent: this.#absent.get(name) ?? null })),
    };
  }
}
