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
// To end the program ends what a pipe's reader has not taken yet: 64 KiB of a longer document would reach it.
await Promise.all([written(process.stdout), written(process.stderr)]);
// What an interrupted command left open must not keep the program alive.
process.exit();

/** Resolves when all that was written has left the program, or nobody will read it. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write("", () => {
      resolve();
    });
  });
}
