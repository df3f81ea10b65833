/** `--fix`: what forbids a move and can be changed of the VM, shown, asked about and done. */
import { createInterface } from "node:readline/promises";
import type { MoveFix } from "@godwit/contract";
import { GodwitError } from "@godwit/contract/errors";
import type { Api } from "./connection.ts";
import { watchTask } from "./run-task.ts";
import { Exit, exitCodes, findingLines } from "./output/problem.ts";
import { writeNote } from "./output/screen.ts";

interface Checked {
  vm: string;
  from: string;
  to: string;
  allowed: boolean;
  findings: Parameters<typeof findingLines>[0];
  fixes?: MoveFix[] | undefined;
}

/**
 * @returns whether something was changed
 * @throws USAGE when nobody can be asked; Exit with 3 when the answer was no; the error of a change that failed
 */
export async function fixVm(
  api: Api,
  { vm, from, to, allowed, findings, fixes = [] }: Checked,
  { yes }: { yes: boolean },
): Promise<boolean> {
  if (allowed) return false;
  if (fixes.length === 0) {
    writeNote("Nothing of what forbids the move can be changed with --fix.");
    return false;
  }
  writeNote(`${vm} may not move from ${from} to ${to}.`);
  for (const line of findingLines(findings)) writeNote(line);
  writeNote("To be done:");
  for (const { sentence } of fixes) writeNote(`  ${sentence}`);
  if (!yes && !(await isWanted())) throw new Exit(exitCodes.refused);
  for (const { changes } of fixes) {
    const { error } = await watchTask(api, await api.call("vmSet", { params: { vm }, body: changes }));
    if (error !== null) throw GodwitError.fromProblem(error);
  }
  return true;
}

async function isWanted(): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw GodwitError.of("USAGE", {
      what: "Standard input is no terminal on which could be asked.",
      hint: "Give --yes to change the VM without being asked.",
    });
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question("Change the VM now? [y/N] ")).trim());
  } finally {
    terminal.close();
  }
}
