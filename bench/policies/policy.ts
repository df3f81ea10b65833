/**
 * A policy of the comparison: who decides, and with what. Each is one file in this folder. What a policy sees is what
 * its system sees of a real copy: QEMU's own limit ends it between two looks of the system, which come at its own pace.
 */
export interface View {
  readonly atMs: number;
  readonly round: number;
  readonly remainingBytes: number;
  readonly sentBytes: number;
  /** As measured over the last second or so. */
  readonly bytesPerSecond: number;
  readonly totalBytes: number;
  /** True at the beginning of a pass. */
  readonly passBegins: boolean;
  /** Whether the guest changed more than half of what was sent, since the last look a second ago: QEMU's own measure. */
  readonly isDirtyRateHigh: boolean;
}

export type Step =
  | { do: "goOn" }
  /** QEMU's `downtime-limit`, from now on. */
  | { do: "limit"; downtimeMs: number }
  | { do: "throttle"; share: number }
  /** Stops the guest now, whatever is left. */
  | { do: "stop" }
  | { do: "postcopy" }
  | { do: "abort"; because: string };

export interface Policy {
  readonly name: string;
  /** What it is made after, in one sentence. */
  readonly after: string;
  readonly downtimeMs: number;
  /** How often it looks; 0: at each pass and each quarter of a second. */
  readonly everyMs: number;
  begin(): (view: View) => Step;
}
