/** Errors as people read them, and the exit codes that scripts read. */
import { GodwitError } from "@godwit/contract/errors";
import { printable } from "./printable.ts";
import { writeJson } from "./screen.ts";

export const exitCodes = { done: 0, failed: 1, usage: 2, refused: 3, interrupted: 130 } as const;

const usageCodes = new Set([
  "USAGE",
  "NAME_INVALID",
  "REQUEST_INVALID",
  "VM_DESCRIPTION_INVALID",
  "CONFIG_INVALID",
  "MASK_INVALID",
  "MASK_NAMES_UNKNOWN",
]);

/** Thrown by a command that has printed everything itself and only sets the exit code. */
export class Exit extends Error {
  readonly code: number;

  constructor(code: number) {
    super("");
    this.code = code;
  }
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof Exit) return error.code;
  if (!GodwitError.is(error)) return exitCodes.failed;
  if (error.findings.length > 0) return exitCodes.refused;
  return usageCodes.has(error.code) ? exitCodes.usage : exitCodes.failed;
}

/**
 * With --json a command that fails writes `{"error": …}` to standard output, the problem as the API gives it, with all
 * findings. A command that has printed its own document writes no second one.
 */
export function writeProblem(error: unknown): void {
  if (error instanceof Exit) return;
  writeJson({ error: GodwitError.is(error) ? error.problem : { code: "INTERNAL", detail: wordsOf(error) } });
}

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The sentence, the findings with what to do, the remedy, the code. Never a stack trace. */
export function problemText(error: unknown): string {
  if (error instanceof Exit) return "";
  if (!GodwitError.is(error)) {
    if (process.env.GODWIT_DEBUG !== undefined && error instanceof Error) return error.stack ?? error.message;
    return `Internal error: ${printable(wordsOf(error))}\n  This is a bug. Set GODWIT_DEBUG=1 to see where, and report it.`;
  }
  return printable(
    [
      error.message,
      ...findingLines(error.findings),
      ...(error.findings.length > 0 ? [] : [`  ${error.remedy}`]),
      `  (${error.code})`,
    ].join("\n"),
  );
}

export function findingLines(findings: GodwitError["findings"]): string[] {
  return findings.flatMap(({ severity, vm, message, remedy, code }) => [
    `  ${severity === "error" ? "✗" : "!"} ${vm === undefined ? "" : `${vm}: `}${message}`,
    `    ${remedy} (${code})`,
  ]);
}
