/**
 * How far the copy of an image is. The program that copies tells nothing while it works, so its file is looked at once a second;
 * a copy that the file system does by reference is over before the first look.
 */
import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
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

/** Of one disk's copy. */
interface CopyToWatch {
  disk: string;
  /** That the source takes on its storage. */
  totalBytes: number;
}
type Tell = (progress: ImageCopy) => void;

/**
 * Tells how far a copy is until it is disposed.
 * @param path of the file that grows; it may not be there yet
 */
export function watchCopy(path: string, copy: CopyToWatch, tell: Tell): Disposable {
  return watchBytes(
    async () => {
      const found = await stat(path).catch(() => null);
      return found === null ? null : found.blocks * 512;
    },
    copy,
    tell,
  );
}

/** The same of what is written to a block device by its kernel's own figure. @param device `/dev/dm-3` @param sys its `/sys/class/block` */
export async function watchDevice(
  device: string,
  copy: CopyToWatch,
  tell: Tell,
  sys = "/sys/class/block",
): Promise<Disposable> {
  const written = async () => {
    const text = await readFile(`${sys}/${basename(device)}/stat`, "utf8").catch(() => "");
    const sectors = Number(text.trim().split(/\s+/)[6] ?? Number.NaN);
    return Number.isFinite(sectors) ? sectors * 512 : null;
  };
  const before = await written();
  return watchBytes(
    async () => {
      const now = await written();
      return now === null || before === null ? null : now - before;
    },
    copy,
    tell,
  );
}

/** @param copied null: it cannot be said now */
function watchBytes(
  copied: () => Promise<number | null>,
  { disk, totalBytes }: CopyToWatch,
  tell: Tell,
): Disposable {
  const samples: CopySample[] = [{ atMs: performance.now(), copiedBytes: 0 }];
  let isOver = false;
  const look = async () => {
    const copiedBytes = await copied();
    if (copiedBytes === null || isOver) return;
    samples.push({ atMs: performance.now(), copiedBytes });
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
