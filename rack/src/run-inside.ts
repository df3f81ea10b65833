/** The part of a story that runs in the network namespace of its rack, as a process of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { namespaceOf } from "./networks.ts";

/** @returns its exit code; 1: a signal ended it */
export async function runInside(id: string, program: string, args: readonly string[]): Promise<number> {
  const words = ["netns", "exec", namespaceOf(id), process.execPath, program, ...args];
  const [code] = (await once(spawn("ip", words, { stdio: "inherit" }), "exit")) as [number | null];
  return code ?? 1;
}
