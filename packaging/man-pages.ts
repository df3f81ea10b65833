/** Man pages from the program's own help: one of the program, and one for each first word on its command line. */
export interface ManPage {
  /** Like `godwit-vm.1`. */
  file: string;
  text: string;
}

/**
 * @param commands each command's words and its help, as `godwit … --help` prints it
 * @param date of the version, as YYYY-MM-DD
 */
export function manPages(
  commands: readonly (readonly [route: string, help: string])[],
  version: string,
  date: string,
): ManPage[] {
  const groups = Map.groupBy(commands, ([route]) => route.split(" ")[1] ?? "");
  const words = [...groups.keys()].filter((word) => word !== "").sort();
  const pages = words.map((word) => {
    const sections = (groups.get(word) ?? []).map(
      ([route, help]) => `.SH ${quoted(route)}\n${literal(help)}`,
    );
    return {
      file: `godwit-${word}.1`,
      text: page(`godwit-${word}`, briefOf(word, groups.get(word) ?? []), sections, words, { version, date }),
    };
  });
  const synopsis = `.SH SYNOPSIS\n.nf\n${words.map((word) => `godwit ${word} \\-\\-help`).join("\n")}\n.fi`;
  const main = page(
    "godwit",
    "live migration for KVM virtual machines",
    [synopsis, environment, files],
    words,
    {
      version,
      date,
    },
  );
  return [{ file: "godwit.1", text: main }, ...pages];
}

const environment = `.SH ENVIRONMENT
.TP
.B GODWIT_SERVER, GODWIT_CA, GODWIT_TOKEN_FILE
URL of the server, file of its certificate authority, file of the admin token. Without them the server on this machine is used.`;

const files = `.SH FILES
.TP
.I /etc/godwit/agent.yaml
Configuration of a host's agent.
.TP
.I /var/lib/godwit/server
The server's certificate authority, admin token and database.`;

function page(
  name: string,
  brief: string,
  sections: readonly string[],
  words: readonly string[],
  { version, date }: { version: string; date: string },
): string {
  const others = ["godwit", ...words.map((word) => `godwit-${word}`)].filter((other) => other !== name);
  const see = others.map((other) => `.BR ${escaped(other)} (1)`).join(",\n");
  return [
    `.TH ${name.toUpperCase()} 1 ${date} "Godwit ${version}" "Godwit"`,
    `.SH NAME\n${escaped(name)} \\- ${escaped(brief)}`,
    ...sections,
    `.SH "SEE ALSO"\n${see}`,
    "",
  ].join("\n");
}

/** The first sentence of its help that is no usage: what a command is for. */
function briefOf(word: string, commands: readonly (readonly [string, string])[]): string {
  if (commands.length > 1) return `the commands godwit ${word}`;
  const paragraphs = (commands[0]?.[1] ?? "").split("\n\n");
  return paragraphs[1]?.split("\n")[0]?.trim() ?? word;
}

const literal = (text: string): string =>
  `.nf\n${text
    .trim()
    .split("\n")
    .map((line) => escaped(line))
    .join("\n")}\n.fi`;

/** A line that begins with a dot or a quote would be a request of roff's. */
const escaped = (text: string): string =>
  text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("…", "...")
    .replace(/^([.'])/, "\\&$1");
const quoted = (text: string): string => `"${escaped(text)}"`;
