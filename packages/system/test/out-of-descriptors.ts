/** A program for a test, under a limit of descriptors: looks at the process that it is given while it has none left. */
import { closeSync, openSync } from "node:fs";
import { endProcess, identifyProcess, isAlive, isAliveOrUnknown, signalProcess } from "../src/index.ts";

const target = await identifyProcess(Number(process.argv[2]));
if (target === null) throw new Error("there is no such process");
const taken: number[] = [];
try {
  for (;;) taken.push(openSync("/dev/null", "r"));
} catch {
  // none is left
}
const code = async (attempt: Promise<unknown>) =>
  await attempt.then(
    (value) => String(value),
    (error: unknown) => (error as { code: string }).code,
  );
const looked = await code(isAlive(target));
const unknown = String(await isAliveOrUnknown(target));
const signalled = await code(signalProcess(target, "SIGKILL"));
// It waits until it can see whom it ends.
const ending = endProcess(target, "SIGKILL", 0);
await new Promise((resolve) => setTimeout(resolve, 100));
for (const fd of taken) closeSync(fd);
const afterwards = String(await isAlive(target));
await ending;
console.log(
  JSON.stringify({ looked, unknown, signalled, afterwards, atLast: String(await isAlive(target)) }),
);
