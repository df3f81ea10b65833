/**
 * Whether a host counts as there: by its event stream, and by the reports that it gives. Down for a moment is a restart;
 * for longer the host is lost, and so is one whose stream breaks off each time as soon as it stands, or whose reports
 * cannot be read.
 */
import { finding, type Finding } from "@godwit/contract";

/** A line that is down for less than this was a restart, not a loss. */
const lossMs = 2000;
/** A stream that has stood for this long has shown that the host is there. */
const steadyMs = 1000;
/** So many breaks of the stream in this time are told by an alarm, whatever each of them was. */
const unsteady = { breaks: 5, withinMs: 60_000 } as const;
/** A host whose reports cannot be read for longer counts as lost, whatever its event stream does. */
const unreadMs = 10_000;

export interface PresenceListener {
  /** It counts as lost from now on. */
  lost: (reason: string) => void;
  /** Its event stream has proved steady. */
  steady: () => void;
}

export class Presence {
  readonly #host: string;
  readonly #listener: PresenceListener;
  #up = false;
  #lost: "silent" | "unread" | null = null;
  /** Set from the first break until the stream is steady. */
  #lossTimer: NodeJS.Timeout | undefined;
  /** The time for a restart was over while a stream stood that has not proved steady yet. */
  #lossIsDue = false;
  #steadyTimer: NodeJS.Timeout | undefined;
  #reason = "";
  /** When the stream broke off, by a clock that is never set. */
  #breaks: number[] = [];
  #unreadSinceMs: number | null = null;

  constructor(host: string, listener: PresenceListener) {
    this.#host = host;
    this.#listener = listener;
  }

  /** Whether the agent's events flow now. */
  get isUp(): boolean {
    return this.#up;
  }

  /** Whether what it reports counts: not while its stream is lost, or has just come back. */
  get isHeard(): boolean {
    return this.#lost !== "silent";
  }

  /** Its event stream breaks off again and again. */
  get alarms(): Finding[] {
    const since = performance.now() - unsteady.withinMs;
    this.#breaks = this.#breaks.filter((at) => at > since);
    const { length: breaks } = this.#breaks;
    if (breaks < unsteady.breaks) return [];
    const details = { host: this.#host, breaks, reason: this.#reason };
    return [finding("HOST_CONNECTION_UNSTEADY", details, "warning")];
  }

  /** It is waited for. From the first time on: further reasons do not put the loss off. */
  expect(reason: string): void {
    this.#reason = reason;
    this.#lossTimer ??= setTimeout(() => {
      if (this.#up) this.#lossIsDue = true;
      else this.#lose("silent", this.#reason);
    }, lossMs);
  }

  opened(): void {
    this.#up = true;
    clearTimeout(this.#steadyTimer);
    this.#steadyTimer = setTimeout(() => {
      this.forget();
      this.#lost = null;
      this.#listener.steady();
    }, steadyMs);
  }

  /** Its event stream broke off, or could not be opened. */
  broke(reason: string): void {
    clearTimeout(this.#steadyTimer);
    const wasUp = this.#up;
    this.#up = false;
    if (wasUp) this.#breaks.push(performance.now());
    this.expect(reason);
    if (this.#lossIsDue) this.#lose("silent", `its connection breaks off as soon as it stands (${reason})`);
  }

  read(): void {
    this.#unreadSinceMs = null;
    if (this.#lost === "unread") this.#lost = null;
  }

  unread(reason: string): void {
    if (!this.#up || this.#lost !== null) return;
    this.#unreadSinceMs ??= performance.now();
    if (performance.now() - this.#unreadSinceMs > unreadMs) this.#lose("unread", reason);
  }

  /** The next loss is counted from its beginning. */
  forget(): void {
    clearTimeout(this.#lossTimer);
    this.#lossTimer = undefined;
    this.#lossIsDue = false;
  }

  stop(): void {
    this.forget();
    clearTimeout(this.#steadyTimer);
  }

  #lose(how: "silent" | "unread", reason: string): void {
    this.#lossIsDue = false;
    this.#lost = how;
    this.#listener.lost(reason);
  }
}
