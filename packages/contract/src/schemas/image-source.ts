/** What an image is that becomes a disk: its format, where it is inside its file, and its checksum. */
import { z } from "zod";

/** QEMU's names. `vpc` is Microsoft's VHD. */
export const imageFormatSchema = z.enum(["qcow2", "raw", "vmdk", "vdi", "vhdx", "vpc"]);
export type ImageFormat = z.infer<typeof imageFormatSchema>;

/** A member of an archive that is not packed: a part of the file. */
export const imagePartSchema = z.strictObject({
  offset: z.int().min(0),
  bytes: z.int().min(1),
});
export type ImagePart = z.infer<typeof imagePartSchema>;

/** `sha256:…`, in lower-case hexadecimal digits. */
export const imageChecksumSchema = z
  .string()
  .max(200)
  .regex(
    /^(?:sha1:[0-9a-f]{40}|sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/,
    "must be sha256: (or sha1:, sha512:) and its hexadecimal digits",
  );
