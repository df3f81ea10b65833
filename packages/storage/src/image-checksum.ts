/** The checksum of an image, as whoever made it says that it is. */
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { GodwitError, type ImagePart } from "@godwit/contract";

const pieceBytes = 4 * 1048576;

/** @param expected `sha256:…`. @throws IMAGE_CHECKSUM_DIFFERS; the signal's reason */
export async function mustHaveChecksum(
  file: FileHandle,
  expected: string,
  part: ImagePart | undefined,
  named: { vm: string; disk: string; path: string },
  signal?: AbortSignal,
): Promise<void> {
  const [algorithm = "sha256"] = expected.split(":");
  const hash = createHash(algorithm);
  const buffer = Buffer.alloc(pieceBytes);
  let at = part?.offset ?? 0;
  const end = part === undefined ? Number.POSITIVE_INFINITY : at + part.bytes;
  while (at < end) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, Math.min(pieceBytes, end - at), at);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  const found = `${algorithm}:${hash.digest("hex")}`;
  if (found !== expected) throw GodwitError.of("IMAGE_CHECKSUM_DIFFERS", { ...named, expected, found });
}
