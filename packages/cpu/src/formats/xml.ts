/**
 * XML as programs write it, as a tree. The parser is saxes, which takes well-formed documents only; what it reads is
 * bounded here, and a document type is refused: no entity of one's own, nothing that could blow up.
 */
import { SaxesParser } from "saxes";

export interface XmlElement {
  readonly name: string;
  readonly line: number;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** Its own text, trimmed. */
  readonly text: string;
}

interface OpenElement extends XmlElement {
  readonly children: XmlElement[];
  text: string;
}

const most = { depth: 64, elements: 200_000 } as const;

/**
 * @param refused the error for a text that is not well-formed or more than what is read here; the line is where that is seen
 * @throws what `refused` makes
 */
export function parseXml(text: string, refused: (line: number, problem: string) => Error): XmlElement {
  const parser = new SaxesParser({ xmlns: false, position: true });
  const open: OpenElement[] = [];
  const roots: XmlElement[] = [];
  let elements = 0;
  parser.on("error", ({ message }) => {
    // It begins with the position, which is told in its own place.
    const problem = message.replace(/^(?:\d+:\d+: )/, "").replace(/\.$/, "");
    throw refused(parser.line, `well-formed XML was expected: ${problem}`);
  });
  parser.on("doctype", () => {
    throw refused(parser.line, "it has a document type, which is not read");
  });
  parser.on("opentag", ({ name, attributes }) => {
    elements += 1;
    if (elements > most.elements || open.length >= most.depth)
      throw refused(parser.line, "it has more elements, or deeper ones, than are read");
    const element: OpenElement = {
      ...{ name, line: parser.line, children: [], text: "" },
      attributes: new Map(Object.entries(attributes)),
    };
    (open.at(-1)?.children ?? roots).push(element);
    open.push(element);
  });
  const addText = (piece: string) => {
    const parent = open.at(-1);
    if (parent !== undefined) parent.text += piece;
  };
  parser.on("text", addText);
  parser.on("cdata", addText);
  parser.on("closetag", () => {
    const closed = open.pop();
    if (closed !== undefined) closed.text = closed.text.trim();
  });
  parser.write(text).close();
  const [root] = roots;
  if (root === undefined) throw refused(parser.line, "an XML element was expected");
  return root;
}

/** The first child of that name. */
export const childOf = (element: XmlElement, name: string): XmlElement | undefined =>
  element.children.find((child) => child.name === name);

/** All elements of that name below this one, itself included, in the order of the text. */
export function elementsNamed(element: XmlElement, name: string): XmlElement[] {
  const found: XmlElement[] = [];
  const queue = [element];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (next.name === name) found.push(next);
    for (const child of next.children.toReversed()) queue.push(child);
  }
  return found;
}
