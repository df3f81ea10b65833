/** Passwords and secrets, which come in files: a command line is seen by every user of the machine. */
import { readFile } from "node:fs/promises";
import { GodwitError } from "@godwit/contract/errors";

/** @param hint what the file is to have. @throws USAGE when it cannot be read, or its first line is empty */
export async function firstLineOf(file: string, hint: string): Promise<string> {
  const content = await readFile(file, "utf8").catch((error: unknown) => {
    throw GodwitError.of("USAGE", { what: `${file} cannot be read: ${(error as Error).message}.`, hint });
  });
  const line = content.split(/\r?\n/, 1)[0] ?? "";
  if (line !== "") return line;
  throw GodwitError.of("USAGE", { what: `The first line of ${file} is empty.`, hint });
}
