/**
 * The lines of a `.vmx` file that are about CPU masks. Everything else in the file, comments, order and line
 * ends included, stays as it is; a mask line stays as it is where its meaning does.
 */
import { maskInvalid } from "./mask-invalid.ts";
import { canonicalMaskKey, isMaskKey, maskEntries, parseMasks, type Masks } from "./masks.ts";

interface MaskLine {
  readonly key: string;
  readonly value: string;
}

/** In quotes, or one word; a comment may follow. */
const valueForm = /^\s*(?:"([^"]*)"|([^\s"#]*))\s*(?:#.*)?$/;

/**
 * @param text of a `.vmx` file
 * @throws MASK_INVALID when a line about CPU masks is none, or a mask is there twice
 */
export const readVmxMasks = (text: string): Masks =>
  parseMasks(
    linesOf(text).flatMap(({ content }) => {
      const line = maskLine(content);
      return line === null ? [] : [[line.key, line.value] as const];
    }),
  );

/** The lines about CPU masks, counted from 1, as they are written. @throws MASK_INVALID where one is none */
export const vmxMaskLines = (text: string): { line: number; key: string; value: string }[] =>
  linesOf(text).flatMap(({ content }, index) => {
    const line = maskLine(content);
    return line === null ? [] : [{ line: index + 1, ...line }];
  });

/**
 * The text with these masks and no other; new ones at its end.
 * @throws MASK_INVALID when a mask line that is there already is none
 */
export function writeVmxMasks(text: string, masks: Masks): string {
  const wanted = new Map(
    maskEntries(masks).map(([key, value]) => [canonicalMaskKey(key, value), { key, value }]),
  );
  const lines = linesOf(text);
  const kept = lines.flatMap(({ content, end }) => {
    const line = maskLine(content);
    if (line === null) return [content + end];
    const canonical = canonicalMaskKey(line.key, line.value);
    const now = wanted.get(canonical);
    wanted.delete(canonical);
    if (now === undefined) return isDefault(line) ? [content + end] : [];
    return [hasSameMeaning(line, now) ? content + end : vmxLine(now) + end];
  });
  const end = lines.find((line) => line.end !== "")?.end ?? "\n";
  const body = kept.join("");
  const gap = wanted.size > 0 && body !== "" && !body.endsWith("\n") ? end : "";
  return body + gap + [...wanted.values()].map((line) => vmxLine(line) + end).join("");
}

const vmxLine = ({ key, value }: MaskLine): string => `${key} = "${value}"`;

function maskLine(content: string): MaskLine | null {
  const [, key, rest = ""] = /^\s*([\w.]+)\s*=(.*)$/.exec(content) ?? [];
  if (key === undefined || !isMaskKey(key)) return null;
  const value = valueForm.exec(rest);
  if (value === null) throw maskInvalid(key, rest.trim(), "expected one value in double quotes");
  return { key, value: value[1] ?? value[2] ?? "" };
}

/** `completeMasks = "FALSE"` is what no such line means too. */
const isDefault = ({ key, value }: MaskLine): boolean => maskEntries(parseMasks([[key, value]])).length === 0;

const hasSameMeaning = (one: MaskLine, other: MaskLine): boolean =>
  JSON.stringify(parseMasks([[one.key, one.value]])) ===
  JSON.stringify(parseMasks([[other.key, other.value]]));

/** Each line with its own end, the last one's may be empty. */
const linesOf = (text: string): { content: string; end: string }[] =>
  (text.match(/[^\n]*\n|[^\n]+$/g) ?? []).map((line) => {
    const end = /\r?\n$/.exec(line)?.[0] ?? "";
    return { content: line.slice(0, line.length - end.length), end };
  });
