/** How this program is started: for the labs, which start more of it. */
import { fileURLToPath } from "node:url";

export const program: readonly string[] = [
  process.execPath,
  fileURLToPath(new URL("godwit.js", import.meta.url)),
];
