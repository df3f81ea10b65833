/** What controls the power of a host while nothing of Godwit runs there: one file for each kind. */

export type Power = "on" | "off";

export interface PowerControl {
  /** Null: this kind cannot tell. @throws Error with a reason for people, as all that follow */
  power: () => Promise<Power | null>;
  /** Of a host that is on nothing changes. It may be asked again. */
  turnOn: () => Promise<void>;
  /** As its operating system does it, in its own time; null: the host's agent has to. */
  shutDown: (() => Promise<void>) | null;
  /** At once; null: it cannot. */
  cut: (() => Promise<void>) | null;
}
