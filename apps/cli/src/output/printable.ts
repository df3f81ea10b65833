/**
 * Text that others wrote, on a terminal: a guest, a host, an image can name things so that the terminal moves its cursor,
 * answers, or shows another order of letters. All that a command writes passes through here; control characters and
 * those that change the direction of writing are shown as what they are (`\x1b`). Pure.
 */

const unprintable = /\r(?!\n)|(?![\r\n\t])\p{Cc}|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;

/** Lines stay lines. */
export const printable = (text: string): string => text.replaceAll(unprintable, escaped);

/** A part of a line: a line break in it would look like the next line. */
export const printableCell = (text: string): string => printable(text).replaceAll(/[\r\n\t]/g, escaped);

/** JSON that means the same: its own escapes for what `JSON.stringify` leaves as it is. */
export const printableJson = (json: string): string =>
  json.replaceAll(unprintable, (character) => `\\u${hex(character, 4)}`);

const escaped = (character: string): string => {
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${hex(character, 2)}` : `\\u${hex(character, 4)}`;
};

const hex = (character: string, digits: number): string =>
  character.charCodeAt(0).toString(16).padStart(digits, "0");
