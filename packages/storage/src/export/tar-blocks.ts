/** The blocks of a tar archive that is written: a header before each member, and padding after it (POSIX ustar). Pure. */
import { tarBlockBytes } from "../import/tar-header.ts";

/** What eleven octal digits hold; a larger size is written as GNU tar does. */
const mostOctalBytes = 8 ** 11 - 1;

/** @param name at most 100 bytes */
export function tarMemberHeader(name: string, bytes: number, modifiedMs: number): Buffer {
  const block = Buffer.alloc(tarBlockBytes);
  if (block.write(name, 0, 100, "utf8") < Buffer.byteLength(name))
    throw new RangeError(`${name} is too long`);
  octal(block, 0o644, 100, 8);
  octal(block, 0, 108, 8);
  octal(block, 0, 116, 8);
  if (bytes <= mostOctalBytes) octal(block, bytes, 124, 12);
  else {
    block[124] = 0x80;
    block.writeBigUInt64BE(BigInt(bytes), 128);
  }
  octal(block, Math.floor(modifiedMs / 1000), 136, 12);
  block.write("        ", 148, "latin1"); // the checksum counts as blanks
  block.write("0", 156, "latin1");
  block.write("ustar\u000000", 257, "latin1");
  const sum = block.reduce((all, byte) => all + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\u0000 `, 148, "latin1");
  return block;
}

export const tarPadding = (bytes: number): Buffer =>
  Buffer.alloc((tarBlockBytes - (bytes % tarBlockBytes)) % tarBlockBytes);

export const tarEnd: Buffer = Buffer.alloc(2 * tarBlockBytes);

function octal(block: Buffer, value: number, offset: number, length: number): void {
  block.write(`${value.toString(8).padStart(length - 1, "0")}\u0000`, offset, "latin1");
}
