/** The page of reference about the findings of `godwit vm check`, from one case of each. Pure. */
import { chapters, type Sample } from "./samples.ts";
import { articlesText } from "./vmware-articles.ts";

const head = `# What \`godwit vm check\` finds

Every finding that forbids a move or warns of it, as it is told of the VM web-1, which is to go from host a to host b: what is wrong, what
to do, how much it weighs, and the fault by which vSphere tells the same, with the
numbers of VMware's articles on it that are known. An error forbids the move, a warning does not. Which requirement
stands behind each is in [Moving VMs](moving.md).

This page is written by \`npm run requirements\` from the sentences that the program uses.
`;

export const requirementsPage = (): string =>
  [head, ...Object.entries(chapters).map(([title, samples]) => chapter(title, samples))].join("\n");

const chapter = (title: string, samples: readonly Sample[]): string =>
  `## ${title}\n\n${samples.map(entry).join("\n")}`;

function entry({ finding, live, atRest }: Sample): string {
  const { code, message, remedy, vsphereFault } = finding;
  const weight = [
    live === null ? "Not looked at for a VM that runs" : `${capital(live)} for a VM that runs`,
    atRest === null ? "not looked at for one that does not" : `${atRest} for one that does not`,
  ].join(", ");
  const fault = vsphereFault === undefined ? "" : ` In vSphere: \`${vsphereFault}\`.`;
  const known = articlesText(code, live, atRest);
  return `### \`${code}\`\n\n> ${escaped(message)}\n\n${escaped(remedy)}\n\n${weight}.${fault}${known}\n`;
}

const capital = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1);

/** What is markup in Markdown and is none here; a remedy may have several lines. */
const escaped = (text: string): string => text.replace(/[<>*_|]/g, String.raw`\$&`).replaceAll("\n", " ");
