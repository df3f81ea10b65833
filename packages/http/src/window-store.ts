/**
 * Counts of requests for @fastify/rate-limit. Its own store counts by the wall clock: set back, that would refuse every
 * caller until the old time comes again. The keys that were not used for the longest are forgotten first.
 */
const maxKeys = 10_000;

interface Window {
  count: number;
  beganAt: number;
}

type Told = (error: Error | null, result?: { current: number; ttl: number }) => void;

export class WindowStore {
  readonly #windows = new Map<string, Window>();

  incr(key: string, told: Told, windowMs: number): void {
    const window = this.#running(key, windowMs) ?? { count: 0, beganAt: performance.now() };
    window.count += 1;
    this.#windows.delete(key);
    this.#windows.set(key, window);
    if (this.#windows.size > maxKeys) {
      const [oldest = ""] = this.#windows.keys();
      this.#windows.delete(oldest);
    }
    told(null, this.#view(window, windowMs));
  }

  read(key: string, told: Told, windowMs: number): void {
    const window = this.#running(key, windowMs);
    told(null, window === undefined ? { current: 0, ttl: 0 } : this.#view(window, windowMs));
  }

  child(): WindowStore {
    return new WindowStore();
  }

  #running(key: string, windowMs: number): Window | undefined {
    const window = this.#windows.get(key);
    return window !== undefined && performance.now() - window.beganAt < windowMs ? window : undefined;
  }

  #view({ count, beganAt }: Window, windowMs: number): { current: number; ttl: number } {
    return { current: count, ttl: Math.ceil(windowMs - (performance.now() - beganAt)) };
  }
}
