/** What a row of figures comes to, and tables of it. Pure. */

export interface Summary {
  median: number;
  best: number;
  worst: number;
}

/** Null of no figures. */
export function summaryOf(values: readonly (number | null)[]): Summary | null {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  const [best, worst] = [sorted[0], sorted.at(-1)];
  if (best === undefined || worst === undefined) return null;
  const upper = sorted[Math.floor(sorted.length / 2)] ?? best;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? best;
  return { median: (lower + upper) / 2, best, worst };
}

/** Rows of cells as lines: the first column to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join("  "),
    )
    .join("\n");
}
