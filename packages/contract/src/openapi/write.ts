/** Writes `openapi.json`; with `--check` it only tells whether the committed one is current. */
import { readFile, writeFile } from "node:fs/promises";
import { openApiDocument } from "./document.ts";

const target = new URL("../../../../openapi.json", import.meta.url);
const { version } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};
const text = `${JSON.stringify(openApiDocument(version), null, 2)}\n`;
if (process.argv.includes("--check")) {
  const committed = await readFile(target, "utf8").catch(() => "");
  if (committed !== text) {
    console.error("openapi.json is not current; write it with: npm run openapi");
    process.exit(1);
  }
} else {
  await writeFile(target, text);
}
