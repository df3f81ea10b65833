/** A part of a list: the rows, and where the next part begins. */
export interface Page<Row> {
  rows: Row[];
  /** Null: there are no more. */
  next: string | null;
}

/** @param rows one more than the limit where there are more */
export function pageOf<Row>(rows: readonly Row[], limit: number, cursorOf: (row: Row) => string): Page<Row> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { rows: shown, next: rows.length > limit && last !== undefined ? cursorOf(last) : null };
}
