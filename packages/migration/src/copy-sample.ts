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
}
