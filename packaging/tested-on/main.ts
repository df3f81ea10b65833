/**
 * `npm run tested-on [-- --check]`: writes the README's table of what Godwit was tested on, from the results in
 * docs/tested-on, one file a story, which the story itself writes there: `npm run package:story -- --json
 * docs/tested-on/package-story.json`. With --check it only says whether the table is what it should be.
 */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readOptions } from "../../scripts/options.ts";
import { storyResultSchema, tableOf, withTable, type Tested } from "./table.ts";

const root = join(import.meta.dirname, "../..");
const results = join(root, "docs/tested-on");
const values = readOptions("usage: npm run tested-on -- [--check]", {
  check: { type: "boolean", default: false },
});

const names = (await readdir(results)).filter((name) => name.endsWith(".json")).sort();
const tested = names.map(async (name): Promise<Tested> => {
  const result = storyResultSchema.parse(JSON.parse(await readFile(join(results, name), "utf8")));
  // package-story.json is of npm run package:story, and rack-story.upgrade.json of one more run of npm run rack:story.
  return { story: `npm run ${name.replace(/\..*$/, "").replace("-", ":")}`, result };
});
const readme = await readFile(join(root, "README.md"), "utf8");
const wanted = withTable(readme, tableOf(await Promise.all(tested)));
if (!values.check) await writeFile(join(root, "README.md"), wanted);
else if (wanted !== readme) {
  console.error("README.md: the table of what it was tested on is not up to date: npm run tested-on");
  process.exitCode = 1;
}
