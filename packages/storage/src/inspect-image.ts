/**
 * The inspection of an image before QEMU opens it. What an image says may come from anybody: a guest, another host,
 * a download. Its first bytes are read for what they are; everything else is asked of `qemu-img`, which is told the
 * format, never guesses it, and runs as QEMU's user with next to nothing that it could reach.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { GodwitError, type VmDisk } from "@godwit/contract";
import { limitedAs, run, type UserIds } from "@godwit/system";
import { headerBytes, imageHeader, type ImageHeader } from "./image-header.ts";
import { referenceIn } from "./image-info.ts";

export interface ImageToInspect {
  vm: string;
  disk: string;
  /** Absolute; as its owner knows it. */
  path: string;
  /** Where it lies while it is inspected, if not there. */
  at?: string;
  format: VmDisk["format"];
  /** QEMU's, which can read it. */
  user: UserIds;
  /**
   * `new`: nobody may have it open, and an image that is described as raw must not look like another format. `own`:
   * it is the VM's already, whose guest may write into a raw disk what it likes, and a move's source has it open.
   */
  state: "new" | "own";
}

/** @throws IMAGE_REFERS_ELSEWHERE, IMAGE_FORMAT_DIFFERS, IMAGE_UNREADABLE, DISK_IN_USE, PROGRAM_MISSING */
export async function inspectImage(image: ImageToInspect): Promise<void> {
  const { vm, disk, path, format } = image;
  const named = { vm, disk, path };
  const header = await readHeader(image.at ?? path);
  if (header !== null && header.format !== format && !(format === "raw" && image.state === "own")) {
    throw GodwitError.of("IMAGE_FORMAT_DIFFERS", { ...named, declared: format, found: header.format });
  }
  if (format === "qcow2" && header?.refersTo != null) {
    throw GodwitError.of("IMAGE_REFERS_ELSEWHERE", { ...named, refersTo: header.refersTo });
  }
  const refersTo = await askQemuImg(image);
  if (refersTo !== null) throw GodwitError.of("IMAGE_REFERS_ELSEWHERE", { ...named, refersTo });
}

async function askQemuImg(image: ImageToInspect): Promise<string | null> {
  const { vm, disk, path, format, user } = image;
  const shared = image.state === "own" ? ["--force-share"] : [];
  const [program = "", ...args] = [
    ...limitedAs(user),
    ...["qemu-img", "info", "--output=json", ...shared, "-f", format, image.at ?? path],
  ];
  try {
    const { stdout } = await run(program, args, { what: `inspecting ${path}`, timeoutMs: 15_000 });
    return referenceIn(stdout);
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
async function readHeader(path: string): Promise<ImageHeader | null> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(headerBytes), 0, headerBytes, 0);
      const header = imageHeader(buffer.subarray(0, bytesRead));
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
