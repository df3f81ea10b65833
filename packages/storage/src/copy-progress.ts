/**
 * How far the copy of an image is. The program that copies tells nothing while it works, so its file is looked at once a second;
 * a copy that the file system does by reference is over before the first look.
 */
import { stat } from "node:fs/promises";
import type { ImageCopy } from "@godwit/contract";

const lookEveryMs = 1000;
/** The rate is of so many looks. */
const looks = 5;

export interface CopySample {
  atMs: number;
  copiedBytes: number;
}

/** @param samples oldest first, of which the last is now. Pure. */
export function progressOf(disk: string, totalBytes: number, samples: readonly CopySample[]): ImageCopy {
  const [first, last] = [samples.at(-looks - 1) ?? samples[0], samples.at(-1)];
  const copiedBytes = Math.min(last?.copiedBytes ?? 0, totalBytes);
  const ms = (last?.atMs ?? 0) - (first?.atMs ?? 0);
  const gained = Math.max(0, (last?.copiedBytes ?? 0) - (first?.copiedBytes ?? 0));
  const bytesPerSecond = ms > 0 ? (gained / ms) * 1000 : 0;
  const etaMs = bytesPerSecond > 0 ? ((totalBytes - copiedBytes) / bytesPerSecond) * 1000 : null;
  return { disk, phase: "copying", totalBytes, copiedBytes, bytesPerSecond, etaMs };
}

/**
 * Tells how far a copy is until it is disposed.
 * @param path of the file that grows; it may not be there yet
 * @param totalBytes that the source takes on its storage
 */
export function watchCopy(
  path: string,
  { disk, totalBytes }: { disk: string; totalBytes: number },
  tell: (progress: ImageCopy) => void,
): Disposable {
  const samples: CopySample[] = [{ atMs: performance.now(), copiedBytes: 0 }];
  let isOver = false;
  const look = async () => {
    const found = await stat(path).catch(() => null);
    if (found === null || isOver) return;
    samples.push({ atMs: performance.now(), copiedBytes: found.blocks * 512 });
    if (samples.length > looks + 1) samples.shift();
    tell(progressOf(disk, totalBytes, samples));
  };
  const timer = setInterval(() => void look(), lookEveryMs);
  return {
    [Symbol.dispose]: () => {
      isOver = true;
      clearInterval(timer);
      const last = samples.at(-1);
      // A short copy was never told of.
      if (samples.length > 1 && last !== undefined)
        tell({
          ...progressOf(disk, totalBytes, samples),
          phase: "flushing",
          copiedBytes: totalBytes,
          etaMs: null,
        });
    },
  };
}
