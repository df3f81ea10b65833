/**
 * What each host's QEMU says of itself during one cell: every event with QEMU's own time, from a second monitor that
 * libvirt does not know of. From it: when the guest ran where, and for how long it ran on both at once.
 */
import { QmpSession, type QmpEvent } from "@godwit/qmp";
import type { LibvirtPeer } from "../libvirt-peer.ts";
import { sleep, within } from "@godwit/system";

export interface Heard {
  host: string;
  /** QEMU's event, MIGRATION with its status behind a colon; `here` and `gone` are the process itself. */
  what: string;
  /** ms since 1970, by the clock that both QEMUs share. */
  atMs: number;
}

/** A QEMU's own answer; null where it gives none in time. */
export type Running = boolean | null;

const answerLimitMs = 1500;

export class Watch implements Disposable {
  readonly heard: Heard[] = [];
  readonly #sessions = new Map<string, QmpSession>();
  readonly #listeners = new Set<(heard: Heard) => void>();
  #isOver = false;

  static start(peer: LibvirtPeer, domain: string, hosts: readonly string[]): Watch {
    const watch = new Watch();
    for (const host of hosts) void watch.#follow(host, peer.host(host).qmpSocket(domain));
    return watch;
  }

  /** The first from now on, or already heard, that fits. Null when none comes in time. */
  async until(fits: (heard: Heard) => boolean, limitMs: number): Promise<Heard | null> {
    const already = this.heard.find(fits);
    if (already !== undefined) return already;
    const { promise, resolve } = Promise.withResolvers<Heard>();
    const listener = (heard: Heard) => {
      if (fits(heard)) resolve(heard);
    };
    this.#listeners.add(listener);
    const found = await within(promise, limitMs);
    this.#listeners.delete(listener);
    return found;
  }

  /** Whether the host's QEMU says now that its vCPUs run. */
  async isRunning(host: string): Promise<Running> {
    const session = this.#sessions.get(host);
    if (session === undefined) return null;
    return await session.execute("query-status", {}, { timeoutMs: answerLimitMs }).then(
      ({ running }) => running,
      () => null,
    );
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    for (const session of this.#sessions.values()) session.close();
  }

  /** From one QEMU of the host to the next. */
  async #follow(host: string, socket: string): Promise<void> {
    while (!this.#isOver) {
      const session = await QmpSession.connect(socket, { timeoutMs: 1000 }).catch(() => null);
      if (session === null) {
        await sleep(20); // a QEMU that starts tells nobody
        continue;
      }
      this.#sessions.set(host, session);
      session.onEvent((event) => {
        this.#note({ host, what: wordOf(event), atMs: event.timestampUs / 1000 });
      });
      this.#note({ host, what: "here", atMs: Date.now() });
      if (await this.isRunning(host)) this.#note({ host, what: "RESUME", atMs: Date.now() });
      await session.ended;
      this.#sessions.delete(host);
      this.#note({ host, what: "gone", atMs: Date.now() });
    }
  }

  #note(heard: Heard): void {
    this.heard.push(heard);
    for (const listener of [...this.#listeners]) listener(heard);
  }
}

const wordOf = ({ name, data }: QmpEvent): string =>
  name === "MIGRATION" ? `MIGRATION:${String(data.status)}` : name;

const ends = new Set(["STOP", "SHUTDOWN", "gone"]);

/** For how long the guest's vCPUs ran on two hosts at once. */
export function doubledMs(heard: readonly Heard[], untilMs: number): number {
  const since = new Map<string, number>();
  let total = 0;
  let twiceSince: number | null = null;
  for (const { host, what, atMs } of [...heard].sort((a, b) => a.atMs - b.atMs)) {
    if (what === "RESUME" && !since.has(host)) since.set(host, atMs);
    else if (ends.has(what)) since.delete(host);
    if (since.size > 1) twiceSince ??= atMs;
    else if (twiceSince !== null) {
      total += atMs - twiceSince;
      twiceSince = null;
    }
  }
  return total + (twiceSince === null ? 0 : untilMs - twiceSince);
}
