/**
 * Follows a VM's vCPUs on every host of a lab: from when to when they ran, by QEMU's own stamps of the one
 * clock that all hosts of a lab have. So two that run at once are seen however short it is, and not only
 * when somebody happens to look. Asks QEMU on its second socket, and never Godwit.
 */
import { QmpSession } from "@godwit/qmp";
import type { Lab } from "./lab.ts";
import { qemuProcessesOf, rescueSocket } from "./runners.ts";
import { sleep } from "@godwit/system";

/** Nobody tells when a QEMU is started; one that is to receive a VM is there long before it runs. */
const lookEveryMs = 100;
const answerLimitMs = 1000;

export interface Run {
  host: string;
  /** Milliseconds since 1970. */
  from: number;
  /** Null while it goes on. */
  to: number | null;
}

export class RunWatch implements AsyncDisposable {
  readonly vmId: string;
  readonly runs: Run[] = [];
  readonly #lab: Lab;
  readonly #sessions = new Map<string, QmpSession>();
  readonly #end = new AbortController();
  readonly #loops: Promise<void>[];

  private constructor(lab: Lab, vmId: string) {
    this.#lab = lab;
    this.vmId = vmId;
    this.#loops = lab.hosts.map(({ name }) => this.#follow(name));
  }

  /** Resolves when the QEMUs that are there now are followed. */
  static async begin(lab: Lab, vmId: string): Promise<RunWatch> {
    const watch = new RunWatch(lab, vmId);
    const hosts = (await qemuProcessesOf(lab)).filter((one) => one.vmId === vmId).map(({ host }) => host);
    while (!hosts.every((host) => watch.#sessions.has(host))) await sleep(lookEveryMs);
    return watch;
  }

  /**
   * Hosts on which a process of the VM exists and its vCPUs run; a process that does not answer within a second
   * counts as it was last known.
   */
  async runners(): Promise<string[]> {
    const processes = (await qemuProcessesOf(this.#lab)).filter((one) => one.vmId === this.vmId);
    const running = await Promise.all(
      processes.map(async ({ host }) => {
        const session = this.#sessions.get(host);
        const asked = await session?.execute("query-status", {}, { timeoutMs: answerLimitMs }).then(
          (status) => status.running,
          () => null,
        );
        return (asked ?? this.#current(host) !== undefined) ? host : null;
      }),
    );
    return running.filter((host) => host !== null);
  }

  /** The most hosts on which the vCPUs ever ran at once. */
  get mostAtOnce(): number {
    const ends = (run: Run): number => run.to ?? Number.POSITIVE_INFINITY;
    const atItsBeginning = this.runs.map(
      (run) => this.runs.filter((other) => other.from <= run.from && ends(other) > run.from).length,
    );
    return Math.max(0, ...atItsBeginning);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    for (const session of this.#sessions.values()) session.close();
    await Promise.all(this.#loops);
  }

  async #follow(host: string): Promise<void> {
    const socket = rescueSocket(this.#lab, host, this.vmId);
    while (!this.#end.signal.aborted) {
      const session = await QmpSession.connect(socket, { timeoutMs: answerLimitMs }).catch(() => null);
      if (session === null) await sleep(lookEveryMs);
      else await this.#listen(host, session);
    }
  }

  async #listen(host: string, session: QmpSession): Promise<void> {
    session.onEvent(({ name, timestampUs }) => {
      if (name === "RESUME") this.#began(host, timestampUs / 1000);
      if (name === "STOP") this.#stopped(host, timestampUs / 1000);
    });
    const running = await session.execute("query-status").then(
      (status) => status.running,
      () => false,
    );
    if (running && this.#current(host) === undefined) this.#began(host, Date.now());
    if (this.#end.signal.aborted) session.close();
    this.#sessions.set(host, session);
    await session.ended;
    this.#sessions.delete(host);
    this.#stopped(host, Date.now());
  }

  #current(host: string): Run | undefined {
    return this.runs.find((run) => run.host === host && run.to === null);
  }

  #began(host: string, from: number): void {
    if (this.#current(host) === undefined) this.runs.push({ host, from, to: null });
  }

  #stopped(host: string, to: number): void {
    const run = this.#current(host);
    if (run !== undefined) run.to = to;
  }
}
