/** What people write of a VM: tags to find VMs by, and notes. Neither changes the machine. */
import { z } from "zod";

export const mostTags = 32;
export const mostNotesCharacters = 4096;

export const tagSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9_][A-Za-z0-9_.:+=/-]{0,62}$/,
    "must be a tag: 1 to 63 letters, digits and _ . : + = / -, the first a letter, digit or _",
  );

export const tagsSchema = z
  .array(tagSchema)
  .max(mostTags)
  .refine((tags) => new Set(tags).size === tags.length, "names a tag twice");

/** Lines of printable text: no control characters but line breaks and tabs, and none that change the direction of writing. */
export const notesSchema = z
  .string()
  .min(1)
  .max(mostNotesCharacters)
  .regex(
    /^(?:[\n\t]|(?!\p{Cc}|\p{Cs}|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]).)*$/su,
    "must be printable text",
  );

/** As others wrote them: what cannot be kept as it is, is left out. Null: nothing is left. */
export function notesOf(text: string): { notes: string; isWhole: boolean } | null {
  const lines = text.replaceAll(/\r\n?/g, "\n");
  const plain = lines
    .replaceAll(/[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Cs}|(?![\n\t])\p{Cc}/gu, "")
    .trim();
  // A character of two halves is not cut into them.
  const notes = plain
    .slice(0, mostNotesCharacters)
    .replace(/[\ud800-\udbff]$/, "")
    .trim();
  return notes === "" ? null : { notes, isWhole: notes === lines.trim() };
}

/** A tag that is removed and is not there, or added and is, changes nothing. */
export const tagChangesSchema = z
  .strictObject({ add: tagsSchema.optional(), remove: tagsSchema.optional() })
  .refine(
    ({ add = [], remove = [] }) => !add.some((tag) => remove.includes(tag)),
    "adds and removes the same tag",
  );
export type TagChanges = z.infer<typeof tagChangesSchema>;

export interface Annotated {
  tags?: readonly string[] | undefined;
  notes?: string | undefined;
}

/** Whether it has what agents of before did not know. */
export const hasAnnotations = ({ tags = [], notes }: Annotated): boolean =>
  tags.length > 0 || notes !== undefined;

/** In order of the alphabet. */
export function withTags(tags: readonly string[], { add = [], remove = [] }: TagChanges): string[] {
  return [...new Set([...tags, ...add])].filter((tag) => !remove.includes(tag)).sort();
}

/** As `vm.json` says them. */
export const storedAnnotations = ({ tags = [], notes }: Annotated): { tags?: string[]; notes?: string } => ({
  ...(tags.length === 0 ? {} : { tags: [...new Set(tags)].sort() }),
  ...(notes === undefined ? {} : { notes }),
});

/** A list's filter: tags with commas between them. VMs that have all of them. */
export const tagFilterSchema = z
  .string()
  .max(mostTags * 64)
  .refine((text) => tagsSchema.safeParse(text.split(",")).success, "must be tags with commas between them");
