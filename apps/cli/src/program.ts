/** How this program is started: for labs, which start servers and agents. */
import { fileURLToPath } from "node:url";

export const program: readonly string[] = [
  process.execPath,
  fileURLToPath(new URL("godwit.js", import.meta.url)),
];
