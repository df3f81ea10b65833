/** The manifest of an OVF package (`.mf`): a checksum of each of its files. Pure; any text is fine. */
import { ImportProblem } from "./foreign-vm.ts";

const digits: Readonly<Record<string, number>> = { sha1: 40, sha256: 64, sha512: 128 };

/** By file name, as `sha256:…`. @throws ImportProblem at a line that is none of a manifest */
export function readManifest(text: string): Map<string, string> {
  const checksums = new Map<string, string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "") continue;
    const [, algorithm = "", file = "", hex = ""] =
      /^(SHA\d+)\s*\((.+)\)\s*=\s*([0-9a-fA-F]+)\s*$/.exec(line) ?? [];
    const name = algorithm.toLowerCase();
    if (digits[name] !== hex.length)
      throw new ImportProblem(`line ${String(index + 1)} of its manifest is no checksum`);
    if (checksums.has(file)) throw new ImportProblem(`its manifest names ${file} twice`);
    checksums.set(file, `${name}:${hex.toLowerCase()}`);
  }
  return checksums;
}
