/** What the commands that change a pool share: flags, and how a check or a change is printed. */
import type { Finding, PoolChange } from "@godwit/contract";
import { Exit, exitCodes, findingLines } from "../../output/problem.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import type { JsonFlags } from "../common.ts";

export const checkFlag = {
  kind: "boolean",
  brief: "Only list what would be refused and which VMs would wait; change nothing",
  default: false,
} as const;

export const poolAndHost = {
  kind: "tuple",
  parameters: [
    { brief: "Pool", placeholder: "pool", parse: String },
    { brief: "Host", placeholder: "host", parse: String },
  ],
} as const;

export function tellCheck({ json }: JsonFlags, change: PoolChange, who: string, what: string): void {
  if (json) writeJson(change);
  else {
    writeLine(`${who}${change.allowed ? "" : " not"} ${what}.`);
    tellFindings(change.findings);
  }
  if (!change.allowed) throw new Exit(exitCodes.refused);
}

export function tellFindings(findings: readonly Finding[]): void {
  for (const line of findingLines(findings)) writeLine(line);
}
