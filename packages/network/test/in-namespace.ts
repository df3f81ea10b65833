/** Runs one function of the package in whatever network namespace this process is in; prints its outcome as JSON. */
import { GodwitError } from "@godwit/contract";
import * as network from "../src/index.ts";

const [name, args] = process.argv.slice(2) as [keyof typeof network, string];
const startedAt = performance.now();
try {
  const call = network[name] as (...args: unknown[]) => unknown;
  const value = await call(...(JSON.parse(args) as unknown[]));
  console.log(JSON.stringify({ value: value ?? null, tookMs: performance.now() - startedAt }));
} catch (error) {
  if (!(error instanceof GodwitError)) throw error;
  console.log(JSON.stringify({ code: error.code, tookMs: performance.now() - startedAt }));
}
