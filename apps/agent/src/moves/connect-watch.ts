/**
 * Whether QEMU's connection to the destination comes about. QEMU itself waits for as long as the kernel tries, two minutes,
 * and sends no figures before; so this agent looks, and ends the attempt when it has lasted too long.
 */
import { GodwitError, type MoveOrder, type Problem } from "@godwit/contract";
import { endConnections, isConnecting } from "@godwit/network";
import type { QemuProcess } from "@godwit/hypervisor";
import type { Logger } from "pino";

/** Not answered: the kernel has tried four times. */
const unansweredMs = 8000;
/** Answered, and still nothing is sent: the two QEMUs do not agree on TLS, or a large guest's memory is being listed. */
const silentMs = 25_000;

type Place = { address: string; port: number };

export class ConnectWatch implements Disposable {
  readonly #order: MoveOrder;
  readonly #process: QemuProcess;
  readonly #to: Place;
  readonly #onLate: (problem: Problem) => void;
  readonly #log: Logger;
  readonly #timers: NodeJS.Timeout[];

  constructor(
    order: MoveOrder,
    process: QemuProcess,
    to: Place,
    onLate: (problem: Problem) => void,
    log: Logger,
  ) {
    this.#order = order;
    this.#process = process;
    this.#to = to;
    this.#onLate = onLate;
    this.#log = log;
    this.#timers = [
      setTimeout(() => {
        this.#look(unansweredMs, () => isConnecting(to));
      }, unansweredMs),
      setTimeout(() => {
        this.#look(silentMs, () => Promise.resolve(true));
      }, silentMs),
    ];
  }

  /** The copy flows, or has ended. */
  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #look(forMs: number, isLate: () => Promise<boolean>): void {
    void (async () => {
      const { status } = await this.#process.migration.query();
      if (status !== "setup" || !(await isLate())) return;
      this[Symbol.dispose]();
      const { vm, from, to } = this.#order;
      const details = { vm: vm.name, from, host: to.host, ...this.#to, forMs };
      // First: QEMU's own words for the end of its attempt would not say why.
      this.#onLate(GodwitError.of("MIGRATION_NOT_CONNECTED", details).problem);
      await endConnections(this.#to);
    })().catch((error: unknown) => {
      this.#log.warn({ err: error }, "whether QEMU's connection was made could not be seen");
    });
  }
}
