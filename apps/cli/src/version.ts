/** The program's version, from the package of the whole. */
import { readFileSync } from "node:fs";

export const version = (
  JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string }
).version;
