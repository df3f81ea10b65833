/**
 * JSON that another party wrote. The schemas compare the `length` of what should have been a text or a list, whatever it
 * is: one that is an object makes them throw (it may have a `toString` that is none), where `safeParse` should not. No
 * message has such a field, so that it is refused like any other text that is no JSON.
 */

/** @throws SyntaxError */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (mayName.test(text) && !isComparable(value)) throw new SyntaxError("a field length is an object");
  return value;
}

/** In letters or, any of them, as an escape. */
const mayName = /length|\\u/;

/** Whether the schemas can compare all lengths in it. */
export function isComparable(value: unknown): boolean {
  const left = [value];
  while (left.length > 0) {
    const next = left.pop();
    if (typeof next !== "object" || next === null) continue;
    const { length } = next as { length?: unknown };
    if (typeof length === "object" && length !== null) return false;
    for (const part of Object.values(next)) left.push(part);
  }
  return true;
}
