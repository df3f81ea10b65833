/**
 * How a volume grows. Its new blocks may have been another disk's, so they are overwritten with zeros before anybody sees them. How
 * large it was is a tag of the volume's, made together with the growth and removed when all is zeros. A growth that was cut off is undone by
 * whoever uses the volume next: no guest has seen what is new, since QEMU learns of it last. Pure.
 */

const mib = 1048576;
/** LVM's default, which Godwit's groups have. */
export const extentBytes = 4 * mib;

/** A size that a volume can have. */
export const wholeExtents = (bytes: number): number => Math.ceil(bytes / extentBytes) * extentBytes;

export const growthTag = (fromBytes: number): string => `godwit.grows.${String(fromBytes)}`;

/** What is to be undone; null: it does not grow. @returns its tags of growths, and the least size that one has */
export function cutOffGrowth(tags: readonly string[]): { tags: string[]; fromBytes: number } | null {
  const found = tags.flatMap((tag) => {
    const digits = /^godwit\.grows\.(\d{1,15})$/.exec(tag)?.[1];
    return digits === undefined ? [] : [{ tag, fromBytes: Number(digits) }];
  });
  if (found.length === 0) return null;
  return {
    tags: found.map(({ tag }) => tag),
    fromBytes: Math.min(...found.map(({ fromBytes }) => fromBytes)),
  };
}
