/** `npm run fuzz -- --cases 1000000 [--seed N] [--only WORD]`: every reader of a less trusted side; exits 1 when one threw. */
import { numberOf, readOptions, wrongUsage } from "../../scripts/options.ts";
import { fuzz, type Crash } from "./fuzz.ts";
import { fuzzOverHttp } from "./over-http.ts";
import { targets } from "./targets.ts";

const usage = "usage: npm run fuzz -- [--cases 1000000] [--seed 1] [--only WORD]";
const values = readOptions(usage, {
  cases: { type: "string", default: "1000000" },
  seed: { type: "string", default: "1" },
  only: { type: "string", default: "" },
});
const cases = numberOf(usage, "--cases", values.cases);
const seed = numberOf(usage, "--seed", values.seed, 0);
/** A request over a real connection costs as much as hundreds of cases below it. */
const requests = Math.min(cases, 5000);

async function tried(name: string, count: number, find: () => Crash[] | Promise<Crash[]>): Promise<void> {
  const beganAt = performance.now();
  const crashes = await find();
  const seconds = ((performance.now() - beganAt) / 1000).toFixed(0);
  console.log(`${name}: ${String(count)} cases, ${String(crashes.length)} crashes, ${seconds} s`);
  for (const { text, error } of crashes) console.log(`  ${JSON.stringify(text)}: ${String(error)}`);
  if (crashes.length > 0) process.exitCode = 1;
}

const { only } = values;
if (![...targets.map(({ name }) => name), "requests over HTTPS"].some((name) => name.includes(only)))
  wrongUsage(
    usage,
    `No reader's name has "${only}": ${targets.map(({ name }) => name).join("; ")}; requests over HTTPS.`,
  );
for (const target of targets.filter(({ name }) => name.includes(only)))
  await tried(target.name, cases, () => fuzz(target, cases, seed));
if ("requests over HTTPS".includes(only))
  await tried("requests over HTTPS", requests, () => fuzzOverHttp(requests, seed));
