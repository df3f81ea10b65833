/** CPU masks as a command line gives them: KEY=VALUE, or files with such lines. */
import { readFile } from "node:fs/promises";
import { GodwitError } from "@godwit/contract";
import { maskEntries, parseMasks, readVmxMasks, type Masks } from "@godwit/cpu";

/**
 * @param given each a mask or a path, `-` for standard input
 * @throws MASK_INVALID; FILE_UNREADABLE; USAGE when a file has no mask in it
 */
export async function masksFrom(given: readonly string[]): Promise<Masks> {
  const entries: (readonly [string, string])[] = [];
  for (const one of given) {
    const sign = one.indexOf("=");
    if (sign === -1) entries.push(...(await entriesOfFile(one)));
    else entries.push([one.slice(0, sign).trim(), unquoted(one.slice(sign + 1).trim())]);
  }
  return parseMasks(entries);
}

async function entriesOfFile(path: string): Promise<readonly (readonly [string, string])[]> {
  let text: string;
  try {
    text = await readFile(path === "-" ? "/dev/stdin" : path, "utf8");
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === "ENOENT";
    const reason = absent ? "it does not exist, and it is no KEY=VALUE either" : (error as Error).message;
    throw GodwitError.of("FILE_UNREADABLE", { path, reason }, { cause: error });
  }
  const entries = maskEntries(readVmxMasks(text));
  if (entries.length > 0) return entries;
  throw GodwitError.of("USAGE", {
    what: `There is no CPU mask in ${path}.`,
    hint: 'A mask is a line like cpuid.1.ecx = "----:…" or featMask.vm.cpuid.AES = "Val:0".',
  });
}

const unquoted = (value: string): string => /^"(.*)"$/.exec(value)?.[1] ?? value;
