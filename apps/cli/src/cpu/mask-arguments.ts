/** CPU masks as a command line gives them: KEY=VALUE, or files with such lines. */
import { GodwitError } from "@godwit/contract";
import { nameInMaskKey, parseMasks, unknownMaskNames, vmxMaskLines, type Masks } from "@godwit/cpu";
import { bytesOf, textOf } from "./argument.ts";

/**
 * @param given each a mask or a path, `-` for standard input
 * @throws MASK_INVALID; MASK_NAMES_UNKNOWN for names that are probably misspelt; FILE_UNREADABLE; USAGE when a file
 *   has no mask in it
 */
export async function masksFrom(given: readonly string[]): Promise<Masks> {
  const entries: Entry[] = [];
  for (const one of given) {
    const sign = one.indexOf("=");
    if (sign === -1) entries.push(...(await entriesOfFile(one)));
    else
      entries.push({
        key: one.slice(0, sign).trim(),
        value: unquoted(one.slice(sign + 1).trim()),
        where: null,
      });
  }
  const misspelt = entries.flatMap(({ key, where }) =>
    unknownMaskNames([nameInMaskKey(key) ?? "other"]).flatMap(({ name, near }) =>
      near === null ? [] : [{ name, near, where }],
    ),
  );
  if (misspelt.length > 0) throw GodwitError.of("MASK_NAMES_UNKNOWN", { names: misspelt });
  return parseMasks(entries.map(({ key, value }) => [key, value]));
}

interface Entry {
  readonly key: string;
  readonly value: string;
  /** The line in its file; null: it was given on the command line. */
  readonly where: string | null;
}

async function entriesOfFile(path: string): Promise<Entry[]> {
  const label = path === "-" ? "standard input" : path;
  const lines = vmxMaskLines(textOf(await bytesOf(path, label, ", and it is no KEY=VALUE either")));
  if (lines.length > 0)
    return lines.map(({ line, key, value }) => ({ key, value, where: `line ${String(line)} of ${label}` }));
  throw GodwitError.of("USAGE", {
    what: `There is no CPU mask in ${label}.`,
    hint: 'A mask is a line like cpuid.1.ecx = "----:…" or featMask.vm.cpuid.AES = "Val:0".',
  });
}

const unquoted = (value: string): string => /^"(.*)"$/.exec(value)?.[1] ?? value;
