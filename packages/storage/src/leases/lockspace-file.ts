/**
 * A lockspace as it lies on the storage: a sector for each host id, with the host's name and the time of its last
 * renewal by its own monotonic clock (`struct leader_record` of sanlock 3.8, little-endian). Pure.
 */

/** `DELTA_DISK_MAGIC` */
const magic = 0x12212010;
const nameBytes = 48;
const leastBytes = 160;

/** When a host renewed its lease last, in seconds; null: it never joined. @param bytes of the whole file */
export function renewalIn(bytes: Buffer, host: string): number | null {
  let last: number | null = null;
  const sectorBytes = bytes.length >= leastBytes ? bytes.readUInt32LE(12) : 0;
  if (sectorBytes !== 512 && sectorBytes !== 4096) return null;
  for (let at = 0; at + leastBytes <= bytes.length; at += sectorBytes) {
    if (bytes.readUInt32LE(at) !== magic) continue;
    const name = bytes.toString("utf8", at + 104, at + 104 + nameBytes).replace(/\0.*$/s, "");
    if (name !== host) continue;
    last = Math.max(last ?? 0, Number(bytes.readBigUInt64LE(at + 152)));
  }
  return last;
}
