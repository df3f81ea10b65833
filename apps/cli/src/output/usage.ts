/** Wrong usage as people read it: what is wrong with the command line, and where the right form is shown. Pure. */
import { GodwitError } from "@godwit/contract/errors";
import { ArgumentScannerError, formatMessageForArgumentScannerError } from "@stricli/core";
import { problemText } from "./problem.ts";
import { suggestionsFor } from "./suggestions.ts";

/** A command line, and what may stand in it. */
export interface TypedCommand {
  words: readonly string[];
  /** Of the command that its words name, without the dashes; none where they name no command. */
  flags: readonly string[];
}

/** A word that is no command. @param names of the commands that may stand in its place */
export const unknownCommandText = (word: string, names: readonly string[]): string =>
  `There is no command "${word}".${didYouMean(suggestionsFor(word, names).map((name) => `\`${name}\``))}\n  --help in its place lists the commands.`;

/** What users call the host that a VM is to be brought to, in commands whose flag for it is `--to`. */
const wordsForDestination = ["host", "target", "destination", "dest", "on"];

/** An argument or a flag that cannot be understood. */
export function usageText(error: unknown, typed: TypedCommand): string {
  const { exception } = error as { exception?: unknown };
  if (GodwitError.is(exception)) return problemText(exception);
  return `${sentenceOf(error, typed)}\n  The command's --help shows how it is used.`;
}

function sentenceOf(error: unknown, typed: TypedCommand): string {
  if (!(error instanceof ArgumentScannerError)) return error instanceof Error ? error.message : String(error);
  return formatMessageForArgumentScannerError(error, {
    FlagNotFoundError: ({ input }) => unknownFlagText(input, typed.flags),
    AliasNotFoundError: ({ input }) => {
      const word = typed.words.find((one) => /^-[a-z]{2,}$/i.test(one) && one.includes(input));
      const names = word === undefined ? [] : suggestionsFor(word.slice(1), typed.flags);
      return `There is no flag -${input}.${didYouMean(names.map((name) => `--${name}`))}`;
    },
    UnsatisfiedFlagError: ({ externalFlagName }) => `--${externalFlagName} is missing, or has no value.`,
    UnsatisfiedPositionalError: ({ placeholder }) => `The argument <${placeholder}> is missing.`,
    UnexpectedPositionalError: ({ input }) =>
      // One letter after the dashes is not read as a flag.
      input.startsWith("--")
        ? unknownFlagText(input.slice(2), typed.flags)
        : `The argument "${input}" is one too many.${didYouMean(typed.flags.includes("to") ? [`--to ${input}`] : [])}`,
    EnumValidationError: ({ externalFlagName, input, values }) =>
      `--${externalFlagName} is ${values.join(" or ")}, not "${input}".${didYouMean(suggestionsFor(input, values))}`,
    ArgumentParseError: ({ externalFlagNameOrPlaceholder, input, exception }) =>
      `${externalFlagNameOrPlaceholder} "${input}": ${exception instanceof Error ? exception.message : String(exception)}`,
  });
}

function unknownFlagText(input: string, flags: readonly string[]): string {
  const near = suggestionsFor(input, flags);
  const isDestination = flags.includes("to") && suggestionsFor(input, wordsForDestination).length > 0;
  const meant = near.length === 0 && isDestination ? ["to"] : near;
  return `There is no flag --${input}.${didYouMean(meant.map((flag) => `--${flag}`))}`;
}

const didYouMean = (meant: readonly string[]): string =>
  meant.length === 0 ? "" : ` Did you mean ${meant.join(" or ")}?`;
