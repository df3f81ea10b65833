/**
 * A page of the handbook as a program: its fenced blocks by section, commands without their comments, and the words that
 * stand for the reader's own replaced. So the rack does what the page says, and a page that is wrong fails it. Pure.
 */

export interface Block {
  /** The heading above it, without its number: "The server". */
  section: string;
  /** As the fence names it: "yaml"; empty: commands for a shell. */
  language: string;
  text: string;
}

const fence = /^```(\w*)$/;
const heading = /^#{1,6} (?:\d+\. )?(.*)$/;

/** @throws Error when a block is not closed */
export function blocksOf(page: string): Block[] {
  const blocks: Block[] = [];
  let section = "";
  let open: { language: string; lines: string[] } | null = null;
  for (const line of page.split("\n")) {
    const language = fence.exec(line)?.[1];
    if (open === null) {
      section = heading.exec(line)?.[1] ?? section;
      if (language !== undefined) open = { language, lines: [] };
    } else if (line === "```") {
      blocks.push({ section, language: open.language, text: open.lines.join("\n") });
      open = null;
    } else open.lines.push(line);
  }
  if (open !== null) throw new Error(`a block of section "${section}" is not closed`);
  return blocks;
}

/** The commands of a section, in their order, without comments. @throws Error when it has none */
export function commandsOf(page: string, section: string): string[] {
  const lines = blocksOf(page)
    .filter((block) => block.section === section && block.language === "")
    .flatMap(({ text }) => text.split("\n"))
    .map((line) => line.replace(/\s+#\s.*$/, "").trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  if (lines.length === 0) throw new Error(`the page has no commands in a section "${section}"`);
  return lines;
}

/** The one command of a list that begins so. @throws Error when there is none, or more than one */
export function commandOf(commands: readonly string[], beginning: string): string {
  const [found, ...others] = commands.filter((command) => command.startsWith(beginning));
  if (found === undefined || others.length > 0) {
    throw new Error(`the page has ${found === undefined ? "no" : "more than one"} command "${beginning} …"`);
  }
  return found;
}

/**
 * Puts a reader's own words in place of those that stand for them.
 * @param words by what they replace, all of which must be there
 * @throws Error when one is not there, or when something is still left to be filled in
 */
export function filled(command: string, words: Readonly<Record<string, string>>): string {
  let result = command;
  for (const [placeholder, word] of Object.entries(words)) {
    if (!result.includes(placeholder)) throw new Error(`"${command}" has no ${placeholder}`);
    result = result.replaceAll(placeholder, word);
  }
  if (result.includes("…")) throw new Error(`"${result}" leaves something to be filled in`);
  return result;
}
