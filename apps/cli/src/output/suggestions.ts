/** What a mistyped word may have meant: names that are a slip of the fingers away, or that it begins. Pure. */

/** For longer names a second slip; more is another word. */
const slipsIn = (name: string): number => (name.length < 6 ? 1 : 2);
/** A beginning of a name that is shorter says nothing. */
const leastBeginning = 3;

/** @returns those that are nearest, in their own order; none, where none is near */
export function suggestionsFor(word: string, names: readonly string[]): string[] {
  const far = names.map((name) => ({ name, slips: slipsBetween(word, name) }));
  const near = far.filter(({ name, slips }) => slips <= Math.min(slipsIn(name), name.length - 1));
  const least = Math.min(...near.map(({ slips }) => slips));
  if (near.length > 0) return near.filter(({ slips }) => slips === least).map(({ name }) => name);
  const begins = (one: string, other: string) => one.length >= leastBeginning && other.startsWith(one);
  return names.filter((name) => begins(word, name) || begins(name, word));
}

/**
 * Letters added, left out, replaced, or swapped with their neighbour, as few as make one word of the other: the
 * distance of Damerau and Levenshtein, in its form where no letter is touched twice.
 */
function slipsBetween(from: string, to: string): number {
  let before: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const isSame = from[i - 1] === to[j - 1];
      const isSwapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      row[j] = Math.min(
        at(last, j) + 1,
        at(row, j - 1) + 1,
        at(last, j - 1) + (isSame ? 0 : 1),
        isSwapped ? at(before, j - 2) + 1 : Infinity,
      );
    }
    [before, last] = [last, row];
  }
  return at(last, to.length);
}

const at = (row: readonly number[], index: number): number => row[index] ?? Infinity;
