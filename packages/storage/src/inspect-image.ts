/**
 * The inspection of an image before QEMU opens it. What an image says may come from anybody: a guest, another host,
 * a download. Its first bytes are read for what they are; everything else is asked of `qemu-img`, which is told the
 * format, never guesses it, and runs as QEMU's user with next to nothing that it could reach.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { basename } from "node:path";
import { GodwitError, type DiskBase, type VmDisk } from "@godwit/contract";
import { limitedAs, run, type UserIds } from "@godwit/system";
import {
  backingBytes,
  imageHeader,
  namedBacking,
  type ImageHeader,
  type NamedBacking,
} from "./image-header.ts";
import { backingIn, dataFileIn, referenceIn } from "./image-info.ts";

export interface ImageToInspect {
  vm: string;
  disk: string;
  /** Absolute; as its owner knows it. */
  path: string;
  /** Where it lies while it is inspected, if not there. */
  at?: string;
  format: VmDisk["format"];
  /** What it is to refer to, beside it, and to nothing else: the base of a linked disk. Absent: to nothing. */
  base?: DiskBase | undefined;
  /** QEMU's, which can read it. */
  user: UserIds;
  /**
   * `new`: nobody may have it open, and an image that is described as raw must not look like another format. `own`:
   * it is the VM's already, whose guest may write into a raw disk what it likes, and a move's source has it open.
   */
  state: "new" | "own";
}

/** @throws IMAGE_REFERS_ELSEWHERE, IMAGE_BASE_DIFFERS, IMAGE_FORMAT_DIFFERS, IMAGE_UNREADABLE, DISK_IN_USE, PROGRAM_MISSING */
export async function inspectImage(image: ImageToInspect): Promise<void> {
  const { vm, disk, path, format, base } = image;
  const named = { vm, disk, path };
  const header = await readHeader(image.at ?? path);
  if (header !== null && header.format !== format && !(format === "raw" && image.state === "own")) {
    throw GodwitError.of("IMAGE_FORMAT_DIFFERS", { ...named, declared: format, found: header.format });
  }
  if (base !== undefined) {
    if (header !== null) mustName(image, base, header.backing);
    const output = await askQemuImg(image, (text) => ({
      backing: backingIn(text),
      dataFile: dataFileIn(text),
    }));
    mustName(image, base, output.backing);
    const refersTo = header?.isExternal === true ? "an external data file" : output.dataFile;
    if (refersTo !== null) throw GodwitError.of("IMAGE_REFERS_ELSEWHERE", { ...named, refersTo });
    return;
  }
  if (format === "qcow2" && header?.refersTo != null) {
    throw GodwitError.of("IMAGE_REFERS_ELSEWHERE", { ...named, refersTo: header.refersTo });
  }
  const refersTo = await askQemuImg(image, referenceIn);
  if (refersTo !== null) throw GodwitError.of("IMAGE_REFERS_ELSEWHERE", { ...named, refersTo });
}

/** @throws IMAGE_BASE_DIFFERS */
function mustName({ vm, disk, path }: ImageToInspect, base: DiskBase, found: NamedBacking | null): void {
  const named = basename(base.path);
  if (found?.name === named && found.format === base.format) return;
  throw GodwitError.of("IMAGE_BASE_DIFFERS", {
    ...{ vm, disk, path, base: `${named} (${base.format})` },
    found: found === null ? null : `${found.name} (${found.format ?? "of a format that it does not name"})`,
  });
}

async function askQemuImg<T>(image: ImageToInspect, read: (output: string) => T): Promise<T> {
  const { vm, disk, path, format, user } = image;
  const shared = image.state === "own" ? ["--force-share"] : [];
  const [program = "", ...args] = [
    ...limitedAs(user),
    ...["qemu-img", "info", "--output=json", ...shared, "-f", format, image.at ?? path],
  ];
  try {
    const { stdout } = await run(program, args, { what: `inspecting ${path}`, timeoutMs: 15_000 });
    return read(stdout);
  } catch (error) {
    if (GodwitError.is(error, "PROGRAM_MISSING")) throw error;
    const said = GodwitError.is(error) ? String(error.problem.details.output) : "qemu-img's answer is broken";
    if (/Failed to get [a-z ]*"[a-z ]+" lock/.test(said)) {
      throw GodwitError.of("DISK_IN_USE", { vm, disk, path, by: "a running QEMU" }, { cause: error });
    }
    const reason = said.replace(/^qemu-img: /, "").replace(/\.$/, "");
    throw GodwitError.of("IMAGE_UNREADABLE", { vm, disk, path, reason }, { cause: error });
  }
}

/** Null where only QEMU's user may read it, as on NFS that does not trust this host's root. */
async function readHeader(path: string): Promise<(ImageHeader & { backing: NamedBacking | null }) | null> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(backingBytes), 0, backingBytes, 0);
      const bytes = buffer.subarray(0, bytesRead);
      const header = { ...imageHeader(bytes), backing: namedBacking(bytes) };
      if (header.refersTo !== "a backing file") return header;
      // How it names it is for the sentence only.
      const length = Math.min(buffer.readUInt32BE(16), 1023);
      const at = Number(buffer.readBigUInt64BE(8) & 0xff_ffffn);
      const name = await file.read(Buffer.alloc(length), 0, length, at);
      const text = name.buffer.toString("utf8", 0, name.bytesRead);
      return { ...header, refersTo: text === "" ? header.refersTo : `the backing file ${text}` };
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EACCES") return null;
    throw error;
  }
}
