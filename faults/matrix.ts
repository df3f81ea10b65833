/** The campaign's result as a table: faults as rows, phases as columns; where the VM runs, and after how long all was well. */
import type { CellResult } from "./cell.ts";
import type { Phase } from "./phases.ts";

const words: Record<CellResult["outcome"], string> = {
  source: "source",
  destination: "dest.",
  "dead-host": "dead",
};

/** @param cells in any order; a cell that was not run is left empty */
export function matrixOf(cells: readonly CellResult[], phases: readonly Phase[]): string {
  const shown = phases.filter((phase) => cells.some((cell) => cell.phase === phase));
  const faults = [...new Set(cells.map(({ fault }) => fault))];
  const rows = faults.map((fault) => [
    fault,
    ...shown.map((phase) => {
      const cell = cells.find((one) => one.fault === fault && one.phase === phase);
      return cell === undefined ? "" : inWords(cell);
    }),
  ]);
  const all = [["", ...shown], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length))) ?? [];
  return all
    .map((row) =>
      row
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** `dest. 1.4 s`; with `!` in front where the cell failed. */
function inWords({ outcome, recoveryMs, problems }: CellResult): string {
  return `${problems.length > 0 ? "! " : ""}${words[outcome]} ${(recoveryMs / 1000).toFixed(1)} s`;
}
