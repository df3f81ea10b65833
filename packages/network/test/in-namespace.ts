/**
 * Runs functions of the package one after the other in whatever network namespace this process is in: pairs of a name and its
 * arguments as JSON. In the place of a function `run` runs a program. Prints the outcome of the last one as JSON.
 */
import { spawnSync } from "node:child_process";
import { GodwitError } from "@godwit/contract";
import * as network from "../src/index.ts";

const words = process.argv.slice(2);
for (let at = 0; at < words.length; at += 2) {
  const outcome = await outcomeOf(words[at] ?? "", JSON.parse(words[at + 1] ?? "[]") as unknown[]);
  if (at + 2 >= words.length) console.log(JSON.stringify(outcome));
}

async function outcomeOf(name: string, args: unknown[]): Promise<object> {
  const startedAt = performance.now();
  try {
    const call = name === "run" ? runProgram : network[name as keyof typeof network];
    const value = await (call as (...args: unknown[]) => unknown)(...args);
    return { value: value ?? null, tookMs: performance.now() - startedAt };
  } catch (error) {
    if (!(error instanceof GodwitError)) throw error;
    return { code: error.code, tookMs: performance.now() - startedAt };
  }
}

function runProgram(program: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program}: ${stderr}`);
}
