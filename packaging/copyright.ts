/** The packages' copyright file, and the licence text of everything that is bundled, as its authors wrote it. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Bundled } from "./bundled.ts";

const rule = "-".repeat(78);

export const copyright = `Godwit: live migration for KVM virtual machines.

Copyright 2026 The Godwit maintainers.
License: Apache-2.0. On Debian systems its text is in /usr/share/common-licenses/Apache-2.0.

The package godwit contains Node.js and npm packages of others. Each is listed with its own copyright and licence text
in /usr/share/doc/godwit/third-party-licenses.gz, and in /usr/share/doc/godwit/sbom.cdx.json.gz.
`;

/** @throws Error naming a package whose licence text cannot be found */
export async function licensesText(
  root: string,
  bundled: readonly Bundled[],
  node: { version: string; folder: string },
): Promise<string> {
  const parts = ["What the package godwit contains of others. Each is followed by its own licence text."];
  for (const { folder, name, version, license } of bundled) {
    const text = await licenseText(join(root, folder), license);
    if (text === null) throw new Error(`${folder} has no licence text, and ${license} is not known here`);
    parts.push(`${rule}\n${name} ${version} (${license}), in /usr/lib/godwit/${folder}\n\n${text.trim()}`);
  }
  const own = await readFile(join(node.folder, "LICENSE"), "utf8");
  parts.push(`${rule}\nNode.js ${node.version} (MIT), in /usr/lib/godwit/bin/node\n\n${own.trim()}`);
  return `${parts.join("\n\n")}\n`;
}

/** A file of its own, the section of its README, or the licence's text with its author. */
async function licenseText(folder: string, license: string): Promise<string | null> {
  const files = await readdir(folder);
  const texts = files.filter((name) => /^(licen[sc]e|copying|notice)/i.test(name)).sort();
  if (texts.length > 0) {
    const all = await Promise.all(texts.map((name) => readFile(join(folder, name), "utf8")));
    return all.join("\n\n");
  }
  const readme = files.find((name) => /^readme/i.test(name));
  const said = readme === undefined ? "" : await readFile(join(folder, readme), "utf8");
  const section = /^#+\s*licen[sc]e[^\n]*\n([\s\S]*)/im.exec(said)?.[1] ?? "";
  if (/permission is hereby granted/i.test(section)) return section;
  const { author } = JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as {
    author?: string | { name: string };
  };
  const holder = typeof author === "object" ? author.name : (author ?? "its authors");
  if (license === "Apache-2.0") {
    return `Copyright ${holder}. The licence's text is in /usr/share/common-licenses/Apache-2.0.`;
  }
  return license in wordings ? `Copyright ${holder}\n\n${wordings[license as keyof typeof wordings]}` : null;
}

const wordings = {
  MIT: `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`,
  ISC: `Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby
granted, provided that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL
IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN
ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF
THIS SOFTWARE.`,
} as const;
