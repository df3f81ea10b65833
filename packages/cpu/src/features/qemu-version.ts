/** Versions of QEMU, compared by their numbers: 7.2.22 is older than 10.0. A missing number counts as 0. */

/** The oldest QEMU that Godwit supports. */
export const oldestQemu = "7.2";

export function isOlderQemu(version: string, than: string): boolean {
  const [a = [], b = []] = [version, than].map((text) => text.split(".").map(Number));
  for (const [index, number] of b.entries()) {
    const own = a[index] ?? 0;
    if (own !== number) return own < number;
  }
  return false;
}
