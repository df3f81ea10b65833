/**
 * As much of XML as libvirt writes: elements, attributes, text, comments, the five entities. No document types
 * and no entities of one's own: what could blow up is not there.
 */
import { broken, quoted, type FileName } from "./broken.ts";

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
const tagName = /^[A-Za-z_][\w.:-]{0,99}/;
const attribute = /^\s+([A-Za-z_][\w.:-]{0,99})\s*=\s*(?:'([^'<]*)'|"([^"<]*)")/;

/** @throws CPU_FILE_BROKEN when it is not well-formed; the line is where the trouble begins */
export function parseXml(text: string, file: FileName): XmlElement {
  const open: OpenElement[] = [];
  let root: XmlElement | null = null;
  let elements = 0;
  const lineEnds = [...text.matchAll(/\n/g)].map(({ index }) => index);
  let line = 1;
  let at = 0;
  const advance = (to: number): void => {
    while ((lineEnds[line - 1] ?? Infinity) < to) line += 1;
    at = to;
  };
  while (at < text.length) {
    const tag = text.indexOf("<", at);
    const between = text.slice(at, tag === -1 ? text.length : tag);
    const parent = open.at(-1);
    if (parent !== undefined) parent.text += decoded(between);
    else if (between.trim() !== "")
      throw broken(file, line, `one XML element was expected, and ${quoted(between)} stands outside of it`);
    advance(tag === -1 ? text.length : tag);
    if (tag === -1) break;
    const skipped = endOfProse(text, at);
    if (skipped !== null) {
      if (skipped === -1) throw broken(file, line, "a comment or declaration begins here and does not end");
      advance(skipped);
      continue;
    }
    const end = text.indexOf(">", at);
    if (end === -1) throw broken(file, line, "a tag begins here and does not end");
    const content = text.slice(at + 1, end);
    if (content.startsWith("/")) {
      const closed = open.pop();
      if (closed?.name !== content.slice(1).trim())
        throw broken(
          file,
          line,
          closed === undefined
            ? `${quoted(`<${content}>`)} closes nothing`
            : `</${closed.name}> was expected for line ${String(closed.line)}, and ${quoted(`<${content}>`)} is there`,
        );
      closed.text = closed.text.trim();
    } else {
      if (root !== null && open.length === 0)
        throw broken(file, line, "one XML element was expected, and a second one begins here");
      const element = elementOf(content.endsWith("/") ? content.slice(0, -1) : content, line, file);
      elements += 1;
      if (elements > most.elements || open.length >= most.depth)
        throw broken(file, line, "it has more elements, or deeper ones, than libvirt writes");
      parent?.children.push(element);
      root ??= element;
      if (!content.endsWith("/")) open.push(element);
    }
    advance(end + 1);
  }
  const unclosed = open.at(-1);
  if (unclosed !== undefined)
    throw broken(
      file,
      line,
      `it ends before </${unclosed.name}>, which closes line ${String(unclosed.line)}`,
    );
  if (root === null) throw broken(file, line, "an XML element was expected");
  return root;
}

/** Where a comment or declaration that begins here ends; null: none begins here; -1: it does not end. */
function endOfProse(text: string, at: number): number | null {
  for (const [start, end] of [
    ["<!--", "-->"],
    ["<?", "?>"],
    ["<!", ">"],
  ] as const) {
    if (!text.startsWith(start, at)) continue;
    const found = text.indexOf(end, at + start.length);
    return found === -1 ? -1 : found + end.length;
  }
  return null;
}

function elementOf(content: string, line: number, file: FileName): OpenElement {
  const name = tagName.exec(content)?.[0];
  if (name === undefined)
    throw broken(file, line, `a tag was expected, and ${quoted(`<${content}>`)} is there`);
  const attributes = new Map<string, string>();
  let rest = content.slice(name.length);
  for (let match = attribute.exec(rest); match !== null; match = attribute.exec(rest)) {
    attributes.set(match[1] ?? "", decoded(match[2] ?? match[3] ?? ""));
    rest = rest.slice(match[0].length);
  }
  if (rest.trim() !== "")
    throw broken(file, line, `an attribute was expected in <${name}>, and ${quoted(rest)} is there`);
  return { name, line, attributes, children: [], text: "" };
}

const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

const decoded = (text: string): string =>
  text.replace(/&(lt|gt|amp|quot|apos);/g, (whole, name: string) => entities[name] ?? whole);

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
