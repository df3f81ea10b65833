/**
 * What a VMDK says of itself: the text of its descriptor, and the header of a sparse extent (VMware's "Virtual Disk
 * Format 5.0"). QEMU would open what a descriptor names, so it is read here first. Pure; any bytes are fine.
 */

export interface VmdkExtent {
  sectors: number;
  /** `FLAT`, `VMFS`, `SPARSE`, `ZERO`, … */
  type: string;
  /** Empty for ZERO. */
  file: string;
  /** In the file, in sectors. */
  offset: number;
}

export interface VmdkDescriptor {
  extents: VmdkExtent[];
  /** Whether it holds only what differs from another disk, as a snapshot's does. */
  hasParent: boolean;
}

/** A descriptor of its own may be so long; of 2 TB in pieces of 2 GB it has 40 KiB. */
export const mostDescriptorBytes = 256 * 1024;
export const mostExtents = 512;

/** Null: it is none. */
export function vmdkDescriptor(text: string): VmdkDescriptor | null {
  const end = text.indexOf("\0");
  const lines = (end < 0 ? text : text.slice(0, end)).split(/\r?\n/).map((line) => line.trim());
  if (!/^# Disk DescriptorFile/.test(lines[0] ?? "")) return null;
  const extents: VmdkExtent[] = [];
  let parentId = "ffffffff";
  let hasHint = false;
  for (const line of lines) {
    const [, id] = /^parentCID\s*=\s*"?([0-9a-f]{1,8})"?$/i.exec(line) ?? [];
    if (id !== undefined) parentId = id.toLowerCase();
    if (/^parentFileNameHint\s*=/i.test(line)) hasHint = true;
    if (!/^(?:RW|RDONLY|NOACCESS)\s/i.test(line)) continue;
    const [, sectors, type, file = "", offset = "0"] =
      /^\w+\s+(\d{1,15})\s+(\w+)(?:\s+"([^"]*)"(?:\s+(\d{1,15}))?)?/.exec(line) ?? [];
    if (sectors === undefined || type === undefined) return null;
    extents.push({ sectors: Number(sectors), type: type.toUpperCase(), file, offset: Number(offset) });
  }
  return { extents, hasParent: hasHint || parentId !== "ffffffff" };
}

export interface SparseHeader {
  /** In sectors. 0: QEMU takes the descriptor that is embedded for one that names other files. */
  capacity: number;
  /** Of the descriptor that is embedded, in bytes; null: there is none. */
  descriptor: { offset: number; bytes: number } | null;
}

/** Null: it is none (magic `KDMV`). */
export function sparseHeader(bytes: Buffer): SparseHeader | null {
  if (bytes.length < 80 || bytes.toString("latin1", 0, 4) !== "KDMV") return null;
  const sectors = (at: number) => Number(bytes.readBigUInt64LE(at));
  const [offset, length] = [sectors(28) * 512, sectors(36) * 512];
  return {
    capacity: sectors(12),
    descriptor: offset === 0 || length === 0 ? null : { offset, bytes: length },
  };
}
