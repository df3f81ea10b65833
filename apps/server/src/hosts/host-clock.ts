/** A host's clock against this server's, and the alarm where they are apart: it is told again only when that changes. */
import { finding, isApart, readClock, type ClockReading, type Finding } from "@godwit/contract";

const sameWithinMs = 5000;

export class HostClock {
  readonly #host: string;
  #told: ClockReading | null = null;

  constructor(host: string) {
    this.#host = host;
  }

  /** @param hostAt what the host's clock read, ISO 8601. @param fromMs when it was asked for, by this server's clock */
  take(hostAt: string, fromMs: number): ClockReading {
    const reading = readClock(hostAt, { fromMs, toMs: Date.now() });
    if (!isApart(reading)) this.#told = null;
    else if (this.#told === null || Math.abs(this.#told.aheadMs - reading.aheadMs) > sameWithinMs)
      this.#told = reading;
    return reading;
  }

  get alarms(): Finding[] {
    if (this.#told === null) return [];
    const { otherAt: hostAt, ownAt: serverAt, aheadMs } = this.#told;
    return [finding("HOST_CLOCK_APART", { host: this.#host, hostAt, serverAt, aheadMs }, "warning")];
  }
}
