/** A program that logs more than anything takes, and says on its standard error what was dropped. */
import { pbkdf2 } from "node:crypto";
import { openLog } from "../src/log-destination.ts";

const destination = openLog(1);
// With one thread only, the first write comes after this: at the end of the process it has not started.
const isHeld = process.argv[3] === "held";
if (isHeld) pbkdf2("", "", 100_000, 64, "sha512", () => undefined);
const rounds = Number(process.argv[2]);
const text = "x".repeat(1000);
for (let round = 0; round < rounds; round += 1) {
  for (let line = 0; line < 100; line += 1)
    destination.write(`${JSON.stringify({ n: round * 100 + line, text })}\n`);
  if (!isHeld) await new Promise((resolve) => setTimeout(resolve, 1));
}
// Who reads late is told what was not written.
if (process.argv[3] === "wait") {
  process.stderr.write("waits\n");
  await new Promise((resolve) => setTimeout(resolve, 1500));
  destination.write('{"msg":"the last line"}\n');
  await new Promise((resolve) => setTimeout(resolve, 200));
}
const rssMib = Math.round(process.memoryUsage().rss / 1048576);
process.stderr.write(`${JSON.stringify({ dropped: destination.dropped, rssMib })}\n`);
process.exit(0);
