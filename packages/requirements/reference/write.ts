/** Writes `docs/operators/requirements.md`; with `--check` it only tells whether the committed one is current. */
import { readFile, writeFile } from "node:fs/promises";
import { format, resolveConfig } from "prettier";
import { requirementsPage } from "./page.ts";

const target = new URL("../../../docs/operators/requirements.md", import.meta.url);
const options = await resolveConfig(target);
const text = await format(requirementsPage(), { ...options, parser: "markdown" });
if (process.argv.includes("--check")) {
  if ((await readFile(target, "utf8").catch(() => "")) !== text) {
    console.error("docs/operators/requirements.md is not current; write it with: npm run requirements");
    process.exit(1);
  }
} else {
  await writeFile(target, text);
}
