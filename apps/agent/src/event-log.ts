/**
 * The agent's event log: the last events in memory, with ids that grow even across restarts, for
 * streams that resume. A reader that was away too long learns the rest from the facts.
 */
import type { AgentEvent, NewEvent } from "@godwit/contract";

const capacity = 2000;

type EventOfType<Type extends AgentEvent["type"]> = Extract<AgentEvent, { type: Type }>;

export class EventLog {
  readonly #events: AgentEvent[] = [];
  readonly #wakers = new Set<() => void>();
  // Ids of a later process are larger than all of an earlier one's: a million events a second would be needed to break it.
  #nextId = Date.now() * 1000;

  append<Type extends AgentEvent["type"]>(
    type: Type,
    subject: EventOfType<Type>["subject"],
    data: EventOfType<Type>["data"],
  ): void {
    const event = { type, subject, data } as NewEvent<AgentEvent>;
    this.#events.push({ id: this.#nextId++, at: new Date().toISOString(), ...event });
    if (this.#events.length > capacity) this.#events.shift();
    for (const wake of this.#wakers) wake();
  }

  /** The id of the newest event. */
  get lastId(): number {
    return this.#nextId - 1;
  }

  /**
   * Events after `afterId`, for as long as the signal lets. An id that is ahead of the newest one is of an earlier process
   * of this agent, whose clock was set back since: what it names is over, and "now" is meant.
   */
  async *after(afterId: number, signal: AbortSignal): AsyncGenerator<AgentEvent> {
    let last = Math.min(afterId, this.lastId);
    while (!signal.aborted) {
      const fresh = this.#events.filter(({ id }) => id > last);
      for (const event of fresh) {
        last = event.id;
        yield event;
      }
      if (fresh.length === 0) await this.#changed(signal);
    }
  }

  async #changed(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const wake = () => {
      resolve(undefined);
    };
    this.#wakers.add(wake);
    signal.addEventListener("abort", wake, { once: true });
    try {
      await promise;
    } finally {
      this.#wakers.delete(wake);
      signal.removeEventListener("abort", wake);
    }
  }
}
