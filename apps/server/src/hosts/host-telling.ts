/**
 * Tells hosts what the inventory defines for them. One host is told one thing after the other; what is asked for while it is
 * told is done again after that, with what is defined by then.
 */
import { within } from "@godwit/system";
import type { Logger } from "pino";

export class HostTelling {
  readonly #tell: (host: string) => Promise<void>;
  readonly #what: string;
  readonly #log: Logger;
  readonly #underWay = new Map<string, Promise<void>>();

  /**
   * @param what in words, for the log
   * @param tell tells a host all that is defined for it, if it must be told
   */
  constructor(what: string, tell: (host: string) => Promise<void>, log: Logger) {
    this.#what = what;
    this.#tell = tell;
    this.#log = log;
  }

  /** Never rejects. */
  async tell(host: string): Promise<void> {
    const before = this.#underWay.get(host) ?? Promise.resolve();
    const telling = before
      .then(() => this.#tell(host))
      .catch((error: unknown) => {
        this.#log.warn(
          { err: error, host },
          `the host did not take the ${this.#what} that are defined for it`,
        );
      });
    this.#underWay.set(host, telling);
    await telling;
    if (this.#underWay.get(host) === telling) this.#underWay.delete(host);
  }

  /** Unless it is being told: a report that follows from that is no reason to tell again at once. */
  heard(host: string): void {
    if (!this.#underWay.has(host)) void this.tell(host);
  }

  /** Tells several, and waits for their answers for a while. */
  async tellAll(hosts: readonly string[], limitMs: number): Promise<void> {
    await within(Promise.all(hosts.map((host) => this.tell(host))), limitMs).catch(() => undefined);
  }
}
