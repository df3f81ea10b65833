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
  if (bytes.readBigUInt64BE(8) !== 0n || bytes.readUInt32BE(16) !== 0) {
    return { format, refersTo: "a backing file" };
  }
  const isExternal = version > 2 && bytes.length >= 80 && (bytes.readUInt32BE(76) & externalDataFile) !== 0;
  return { format, refersTo: isExternal ? "an external data file" : null };
}
