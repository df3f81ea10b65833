/** Wrong usage as people read it: what is wrong with the command line, and where the right form is shown. Pure. */
import { GodwitError } from "@godwit/contract/errors";
import { ArgumentScannerError, formatMessageForArgumentScannerError } from "@stricli/core";
import { problemText } from "./problem.ts";

/** A word that is no command. */
export const unknownCommandText = (word: string, corrections: readonly string[]): string =>
  `There is no command "${word}".${didYouMean(corrections)}\n  --help in its place lists the commands.`;

/** Commands that bring a VM to a host; users name that host in many ways. */
const namesDestination = (words: readonly string[]): boolean =>
  words[0] === "vm" && (words[1] === "migrate" || words[1] === "check");
const destinationFlags = new Set(["host", "target", "destination", "dest", "on"]);

/**
 * An argument or a flag that cannot be understood.
 * @param words the command line, which tells what may have been meant
 */
export function usageText(error: unknown, words: readonly string[]): string {
  const { exception } = error as { exception?: unknown };
  if (GodwitError.is(exception)) return problemText(exception);
  return `${sentenceOf(error, words)}\n  The command's --help shows how it is used.`;
}

function sentenceOf(error: unknown, words: readonly string[]): string {
  if (!(error instanceof ArgumentScannerError)) return error instanceof Error ? error.message : String(error);
  return formatMessageForArgumentScannerError(error, {
    FlagNotFoundError: ({ input, corrections }) => {
      const isDestination = namesDestination(words) && destinationFlags.has(input);
      return `There is no flag --${input}.${didYouMean((isDestination ? ["to"] : corrections).map((flag) => `--${flag}`))}`;
    },
    AliasNotFoundError: ({ input }) => `There is no flag -${input}.`,
    UnsatisfiedFlagError: ({ externalFlagName }) => `--${externalFlagName} is missing, or has no value.`,
    UnsatisfiedPositionalError: ({ placeholder }) => `The argument <${placeholder}> is missing.`,
    UnexpectedPositionalError: ({ input }) =>
      `The argument "${input}" is one too many.${didYouMean(namesDestination(words) ? [`--to ${input}`] : [])}`,
    ArgumentParseError: ({ externalFlagNameOrPlaceholder, input, exception }) =>
      `${externalFlagNameOrPlaceholder} "${input}": ${exception instanceof Error ? exception.message : String(exception)}`,
  });
}

const didYouMean = (corrections: readonly string[]): string =>
  corrections.length === 0 ? "" : ` Did you mean ${corrections.join(" or ")}?`;
