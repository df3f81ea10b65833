/** What a strategy decides of a running copy, and how it has QEMU set for it. */
import type { MoveDecision } from "@godwit/contract";
import type { CopyState } from "./copy.ts";

export type QemuCapability =
  | "return-path"
  | "late-block-activate"
  | "events"
  | "pause-before-switchover"
  | "validate-uuid"
  | "auto-converge"
  | "postcopy-ram"
  | "postcopy-blocktime";
export type QemuParameter =
  | "max-bandwidth"
  | "max-postcopy-bandwidth"
  | "downtime-limit"
  | "max-cpu-throttle"
  | "cpu-throttle-initial"
  | "cpu-throttle-increment"
  | "throttle-trigger-threshold";

/** Settings of one QEMU's migration, in QEMU's words: `migrate-set-capabilities` and `migrate-set-parameters`. */
export interface QemuSettings {
  readonly capabilities: Readonly<Partial<Record<QemuCapability, boolean>>>;
  /** Bandwidths in bytes per second (`max-postcopy-bandwidth` 0: no limit); `downtime-limit` in ms; throttles in percent. */
  readonly parameters: Readonly<Partial<Record<QemuParameter, number>>>;
}

export type CopyDecision =
  | { kind: "continue" }
  /** The copy goes on with other parameters; where there are none, only the note is made. */
  | { kind: "tune"; parameters: QemuSettings["parameters"]; decision: MoveDecision }
  /**
   * The guest is stopped. `memory`: all of it is sent before the guest goes on, or what is left follows while the
   * guest runs at the destination.
   */
  | { kind: "switch"; memory: "complete" | "split"; decision: MoveDecision }
  /** More passes would be needed than can be trusted. */
  | { kind: "unsafe" }
  /** Nothing gets through any more; TCP itself would wait for a quarter of an hour. */
  | { kind: "stalled"; forMs: number }
  | { kind: "notConverging"; bestMs: number; rounds: number; because?: NotConvergingBecause };

/** Why a copy was given up, where its strategy has more than one reason. */
export type NotConvergingBecause =
  "deadline" | "tooLong" | "switchesBackedOut" | "noLongerShrinking" | "postcopyWouldHurt";

export interface CopyStep {
  readonly state: CopyState;
  readonly decision: CopyDecision;
}
