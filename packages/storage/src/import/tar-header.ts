/** The headers of a tar archive (POSIX ustar, with pax's and GNU's ways to say large sizes and long names). Pure; any bytes are fine. */
import { ImportProblem } from "./foreign-vm.ts";

export const tarBlockBytes = 512;

export interface TarHeader {
  name: string;
  bytes: number;
  /** `pax`: its content is about the member that follows. `longName`: its content is that member's name. */
  kind: "file" | "folder" | "pax" | "longName" | "other";
}

/** Null: the archive ends here. @throws ImportProblem */
export function tarHeader(block: Buffer): TarHeader | null {
  if (block.length < tarBlockBytes) throw new ImportProblem("the archive is cut off");
  if (block.every((byte) => byte === 0)) return null;
  const sum = octal(block, 148, 8);
  const counted = block.reduce((all, byte, index) => all + (index >= 148 && index < 156 ? 32 : byte), 0);
  if (sum !== counted) throw new ImportProblem("it is no tar archive, or a header in it is damaged");
  const prefix = block.toString("latin1", 257, 262) === "ustar" ? text(block, 345, 155) : "";
  const name = text(block, 0, 100);
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    bytes: sizeOf(block),
    kind: kindOf(String.fromCharCode(block[156] ?? 0)),
  };
}

/** What a pax header says of the member that follows it. @throws ImportProblem */
export function paxRecords(content: Buffer): { path?: string; bytes?: number } {
  const records: { path?: string; bytes?: number } = {};
  for (let at = 0; at < content.length;) {
    const [whole = "", digits = ""] = /^(\d{1,8}) /.exec(content.toString("latin1", at, at + 9)) ?? [];
    const length = Number(digits);
    if (length <= whole.length || at + length > content.length)
      throw new ImportProblem("a pax header in the archive is damaged");
    const [, key, value] =
      /^([^=]+)=(.*)\n$/s.exec(content.toString("utf8", at + whole.length, at + length)) ?? [];
    if (key === "path") records.path = value ?? "";
    if (key === "size" && /^\d{1,15}$/.test(value ?? "")) records.bytes = Number(value);
    at += length;
  }
  return records;
}

function kindOf(type: string): TarHeader["kind"] {
  switch (type) {
    case "0":
    case "\0":
      return "file";
    case "5":
      return "folder";
    case "x":
      return "pax";
    case "L":
      return "longName";
    default:
      return "other";
  }
}

const text = (block: Buffer, offset: number, length: number): string =>
  block.toString("utf8", offset, offset + length).replace(/\0.*$/s, "");

function octal(block: Buffer, offset: number, length: number): number {
  const digits = block
    .toString("latin1", offset, offset + length)
    .replace(/[\0 ]+$/, "")
    .trim();
  if (!/^[0-7]*$/.test(digits)) throw new ImportProblem("it is no tar archive, or a header in it is damaged");
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

/** GNU's way where eleven octal digits do not hold it: the first bit set, and a number of the rest. */
function sizeOf(block: Buffer): number {
  if (((block[124] ?? 0) & 0x80) === 0) return octal(block, 124, 12);
  const size = block.readBigUInt64BE(128);
  if (size > BigInt(Number.MAX_SAFE_INTEGER))
    throw new ImportProblem("a member of the archive has no possible size");
  return Number(size);
}
