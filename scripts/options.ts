/** Options of a program for developers: what it cannot understand is refused with the usage, and ends with 2. */
import { parseArgs, type ParseArgsConfig } from "node:util";

type Options = NonNullable<ParseArgsConfig["options"]>;
type Arguments<Given extends Options> = ReturnType<
  typeof parseArgs<{ options: Given; allowPositionals: true }>
>;

/** The options' values; `--help` prints the usage and ends with 0. */
export function readOptions<const Given extends Options>(
  usage: string,
  options: Given,
): Arguments<Given>["values"] {
  const { values, positionals } = readArguments(usage, options);
  const [unknown] = positionals;
  return unknown === undefined ? values : wrongUsage(usage, `Unexpected argument '${unknown}'`);
}

/** The same with words beside the options. */
export function readArguments<const Given extends Options>(usage: string, options: Given): Arguments<Given> {
  if (process.argv.includes("--help")) {
    console.log(usage);
    process.exit(0);
  }
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    const isUsage = (error as { code?: unknown }).code?.toString().startsWith("ERR_PARSE_ARGS") === true;
    if (!isUsage) throw error;
    return wrongUsage(usage, (error as Error).message);
  }
}

/** A number of at least `least`, from an option's text. */
export function numberOf(usage: string, option: string, text: string, least = 1): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value >= least) return value;
  return wrongUsage(usage, `${option} must be a number of at least ${String(least)}, not "${text}".`);
}

export function wrongUsage(usage: string, what: string): never {
  console.error(`${what}\n\n${usage}`);
  process.exit(2);
}
