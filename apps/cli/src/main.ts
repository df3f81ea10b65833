/** The program `godwit`: finds the command, runs it, ends with its exit code (0 done, 1 failed, 2 wrong usage, 3 refused with findings). */
import { run } from "@stricli/core";
import { applicationFor } from "./app.ts";
import { exitCodes } from "./output/problem.ts";

// A reader that closed the pipe (| head) is not a failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1);
});
const words = process.argv.slice(2);
await run(await applicationFor(words), words, { process });
// stricli's own exit codes for unknown commands and invalid arguments are negative.
if (typeof process.exitCode === "number" && (process.exitCode < 0 || process.exitCode > 200)) {
  process.exitCode = exitCodes.usage;
}
// What an interrupted command left open must not keep the program alive.
process.exit();
