/**
 * What the first bytes of an image say, without believing more of them than that: which format it has, and whether
 * it refers to another file, which whoever opens it would open too. Pure; any bytes are fine.
 */

/** The most that `imageHeader` looks at. */
export const headerBytes = 512;

export interface ImageHeader {
  /** QEMU's name of the format; `raw`: none that is known. */
  format: string;
  /** In words, the file that a part of the image lies in; null: all that is known of is in itself. */
  refersTo: string | null;
  /** What a guest writes would lie in another file. */
  isExternal?: boolean;
}

const magics: readonly (readonly [format: string, offset: number, magic: string])[] = [
  ["qcow2", 0, "QFI\xfb"],
  ["vmdk", 0, "KDMV"],
  ["vmdk", 0, "COWD"],
  ["vmdk", 0, "# Disk DescriptorFile"],
  ["vhdx", 0, "vhdxfile"],
  ["vpc", 0, "conectix"],
  ["vdi", 64, "\x7f\x10\xda\xbe"],
  ["qed", 0, "QED\0"],
  ["luks", 0, "LUKS\xba\xbe"],
  ["parallels", 0, "WithoutFreeSpace"],
  ["parallels", 0, "WithouFreSpacExt"],
];

/** What the header of an image names as its backing file. */
export interface NamedBacking {
  name: string;
  /** QEMU's name of its format; null: the header does not say it. */
  format: string | null;
}

/** Of the first bytes of a qcow2 image; it may name a backing file behind them. */
export const backingBytes = 65_536;

/** Types of header extensions: the end of them, and the format of the backing file. */
const [extensionsEnd, backingFormat] = [0, 0xe2_79_2a_ca];

/** Null: it names none, or not in these bytes. As the specification of qcow2 says where. */
export function namedBacking(bytes: Buffer): NamedBacking | null {
  if (bytes.length < 72 || imageHeader(bytes).refersTo !== "a backing file") return null;
  const [at, length] = [Number(bytes.readBigUInt64BE(8)), bytes.readUInt32BE(16)];
  if (at + length > bytes.length || length > 1023) return null;
  const name = bytes.toString("utf8", at, at + length);
  let position = bytes.readUInt32BE(4) > 2 && bytes.length >= 104 ? bytes.readUInt32BE(100) : 72;
  while (position + 8 <= Math.min(bytes.length, at)) {
    const [type, size] = [bytes.readUInt32BE(position), bytes.readUInt32BE(position + 4)];
    position += 8;
    if (type === extensionsEnd || position + size > bytes.length) break;
    if (type === backingFormat) return { name, format: bytes.toString("utf8", position, position + size) };
    position += Math.ceil(size / 8) * 8;
  }
  return { name, format: null };
}

/** `incompatible_features` of the qcow2 specification: bit 2. */
const externalDataFile = 4;

export function imageHeader(bytes: Buffer): ImageHeader {
  const found = magics.find(
    ([, offset, magic]) => bytes.toString("latin1", offset, offset + magic.length) === magic,
  );
  const format = found?.[0] ?? "raw";
  if (format !== "qcow2" || bytes.length < 72) return { format, refersTo: null };
  const version = bytes.readUInt32BE(4);
  if (version < 2) return { format: "qcow", refersTo: null };
  const isExternal = version > 2 && bytes.length >= 80 && (bytes.readUInt32BE(76) & externalDataFile) !== 0;
  if (bytes.readBigUInt64BE(8) !== 0n || bytes.readUInt32BE(16) !== 0) {
    return { format, refersTo: "a backing file", isExternal };
  }
  return { format, refersTo: isExternal ? "an external data file" : null, isExternal };
}
