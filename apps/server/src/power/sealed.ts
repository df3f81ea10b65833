/**
 * Passwords in the database, which may be another machine's, are encrypted with a key that lies in the server's folder: AES-256-GCM, bound
 * to what the password is for. The key is of the server's user alone, and a part of its backups, which are encrypted as a whole.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { join } from "node:path";
import { readFileOrNull, writeFileAtomic } from "@godwit/system";

const cipher = "aes-256-gcm";
const ivBytes = 12;
const tagBytes = 16;
const version = "v1.";

export class Seal {
  readonly #key: Buffer;

  constructor(key: Buffer) {
    if (key.length !== 32) throw new Error("the key of sealed passwords has not 32 bytes");
    this.#key = key;
  }

  /** @param folder of the server's keys, which one server at a time uses; the first makes this one */
  static async open(folder: string): Promise<Seal> {
    const file = join(folder, "passwords-key");
    const text = await readFileOrNull(file);
    if (text !== null) return new Seal(Buffer.from(text.trim(), "base64"));
    const key = randomBytes(32);
    await writeFileAtomic(file, `${key.toString("base64")}\n`, 0o600);
    return new Seal(key);
  }

  /** @param purpose what it can be opened for */
  close(password: string, purpose: string): string {
    const iv = randomBytes(ivBytes);
    const encryption = createCipheriv(cipher, this.#key, iv).setAAD(Buffer.from(purpose));
    const text = Buffer.concat([encryption.update(password, "utf8"), encryption.final()]);
    return version + Buffer.concat([iv, encryption.getAuthTag(), text]).toString("base64");
  }

  /** Null: it was closed with another key or for another purpose, or was changed. */
  open(sealed: string, purpose: string): string | null {
    const bytes = Buffer.from(sealed.slice(version.length), "base64");
    if (!sealed.startsWith(version) || bytes.length < ivBytes + tagBytes) return null;
    const [iv, tag, text] = [
      bytes.subarray(0, ivBytes),
      bytes.subarray(ivBytes, ivBytes + tagBytes),
      bytes.subarray(ivBytes + tagBytes),
    ];
    try {
      const decryption = createDecipheriv(cipher, this.#key, iv, { authTagLength: tagBytes })
        .setAAD(Buffer.from(purpose))
        .setAuthTag(tag);
      return decryption.update(text, undefined, "utf8") + decryption.final("utf8");
    } catch {
      return null;
    }
  }
}
