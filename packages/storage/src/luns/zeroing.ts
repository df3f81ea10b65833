/**
 * What is new of a volume is overwritten with zeros, step by step, each under the lease of those who change LVM's metadata, and each only
 * if the volume is still the one that was seen: a step that its agent left behind has ended before another host changes anything, or
 * does nothing.
 */
import { sleep } from "@godwit/system";

const mib = 1048576;
/** None may take longer than a change of the metadata may, also where the storage writes zeros one after the other. */
const firstStepBytes = 64 * mib;
const largestStepBytes = 512 * mib;
const fastMs = 3000;
const slowMs = 12_000;
/** Others that want the lease ask for it again and again. */
const pauseMs = 1000;

/** An array that is asked to zero does it at once; one that is not takes as long as for writing. Pure. */
export function nextStepBytes(stepBytes: number, tookMs: number): number {
  if (tookMs < fastMs) return Math.min(stepBytes * 2, largestStepBytes);
  return tookMs > slowMs ? Math.max(stepBytes / 4, mib) : stepBytes;
}

/**
 * @param step zeroes so many bytes from there on
 * @param signal ends it between two steps; its reason is thrown
 * @throws what a step throws
 */
export async function zeroRange(
  { fromBytes, toBytes }: { fromBytes: number; toBytes: number },
  step: (offset: number, length: number) => Promise<unknown>,
  signal?: AbortSignal,
): Promise<void> {
  let stepBytes = firstStepBytes;
  for (let at = fromBytes; at < toBytes;) {
    signal?.throwIfAborted();
    const length = Math.min(stepBytes, toBytes - at);
    const beganAt = performance.now();
    await step(at, length);
    at += length;
    const tookMs = performance.now() - beganAt;
    stepBytes = nextStepBytes(stepBytes, tookMs);
    if (tookMs >= fastMs) await sleep(pauseMs);
  }
}
