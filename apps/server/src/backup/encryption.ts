/**
 * Backups are files of age (https://age-encryption.org/v1), so that they can be opened without Godwit too. They are for
 * a recipient, whose secret identity is kept elsewhere, or for a passphrase. What was cut off, changed or made for others
 * is refused: age authenticates every part of the file, and its end.
 */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import { GodwitError } from "@godwit/contract";
import { Decrypter, Encrypter } from "age-encryption";

/** What a backup is made for, or opened with. */
export type BackupKey =
  { recipients: readonly string[] } | { passphrase: string } | { identities: readonly string[] };

/** @throws USAGE for a recipient that is none */
export async function encryptStream(key: BackupKey, plain: Readable): Promise<Readable> {
  const encrypter = new Encrypter();
  try {
    if ("passphrase" in key) encrypter.setPassphrase(key.passphrase);
    else for (const one of "recipients" in key ? key.recipients : []) encrypter.addRecipient(one);
  } catch (error) {
    throw GodwitError.of("USAGE", {
      what: `A recipient of the backup cannot be read: ${(error as Error).message}.`,
      hint: "Write --recipient age1…, as age-keygen prints it.",
    });
  }
  const sealed = await encrypter.encrypt(Readable.toWeb(plain) as ReadableStream<Uint8Array>);
  return Readable.fromWeb(sealed as Parameters<typeof Readable.fromWeb>[0]);
}

/**
 * Writes what is in a backup to a new file, which counts only once this has ended without an error.
 * @throws BACKUP_UNREADABLE, USAGE for an identity that is none
 */
export async function decryptFile(key: BackupKey, from: string, to: string): Promise<void> {
  const decrypter = new Decrypter();
  try {
    if ("passphrase" in key) decrypter.addPassphrase(key.passphrase);
    else for (const one of "identities" in key ? key.identities : []) decrypter.addIdentity(one);
  } catch (error) {
    throw GodwitError.of("USAGE", {
      what: `An identity cannot be read: ${(error as Error).message}.`,
      hint: "The file has lines like AGE-SECRET-KEY-1…, as age-keygen writes them.",
    });
  }
  const sealed = createReadStream(from);
  const file = await open(to, "wx", 0o600);
  try {
    const plain = await decrypter.decrypt(Readable.toWeb(sealed) as ReadableStream<Uint8Array>);
    for await (const part of plain) await file.writeFile(part);
    await file.sync();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // A disk's error is not the backup's.
    if (code !== undefined && /^E[A-Z]+$/.test(code)) throw error;
    throw GodwitError.of("BACKUP_UNREADABLE", { file: from, reason: reasonOf(message) }, { cause: error });
  } finally {
    sealed.destroy();
    await file.close();
  }
}

const reasonOf = (message: string): string =>
  /no identity matched|incorrect HMAC|passphrase/i.test(message)
    ? "it was made for another key or passphrase"
    : `it is no backup, or was cut off or changed (${message})`;
