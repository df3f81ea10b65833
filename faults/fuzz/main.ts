/** `npm run fuzz -- --cases 1000000 [--seed N]`: every reader of a less trusted side; exits 1 when one threw. */
import { parseArgs } from "node:util";
import { fuzz } from "./fuzz.ts";
import { targets } from "./targets.ts";

const { values } = parseArgs({ options: { cases: { type: "string" }, seed: { type: "string" } } });
const cases = Number(values.cases ?? 1_000_000);
const seed = Number(values.seed ?? 1);
for (const target of targets) {
  const beganAt = performance.now();
  const crashes = fuzz(target, cases, seed);
  const seconds = ((performance.now() - beganAt) / 1000).toFixed(0);
  console.log(`${target.name}: ${String(cases)} cases, ${String(crashes.length)} crashes, ${seconds} s`);
  for (const { text, error } of crashes) console.log(`  ${JSON.stringify(text)}: ${String(error)}`);
  if (crashes.length > 0) process.exitCode = 1;
}
