/** A running copy as it is seen at one moment. */

/** One look at the copy. Times in ms on the caller's monotonic clock. */
export interface CopySample {
  atMs: number;
  /** Passes begun so far; 1 is the first, whole one. */
  round: number;
  remainingBytes: number;
  transferredBytes: number;
  totalBytes: number;
  /** Rate of sending as measured lately; 0 while unknown. */
  bytesPerSecond: number;
  dirtyBytesPerSecond: number;
  /** True at the beginning of a pass: `remainingBytes` is then all that is dirty, not what is left of it. */
  passBegins: boolean;
  /**
   * The share of the time since the look before, 0 to 1, in which the network was what held the stream up, and not a host
   * without a processor to spare. Null: not measured yet. Absent: it cannot be, and a low rate is taken for the network's.
   */
  linkBusyShare?: number | null;
}
