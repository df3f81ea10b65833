/** The cells as a picture: for each guest and link, total time and outage of each engine, on a scale of tens. Pure. */
import { summaryOf } from "../measure/statistics.ts";
import type { Cell } from "./cell.ts";

const rowHeight = 18;
const barWidth = 260;
const labelWidth = 230;
const colours = ["#1b6ca8", "#c8553d", "#588b8b", "#8a6fb0", "#b08d57", "#666666"];

const figures = [
  { key: "totalMs", name: "total time", unit: 1000, suffix: "s", least: 100 },
  { key: "outageMs", name: "outage", unit: 1, suffix: "ms", least: 10 },
] as const;

export function cellsPlot(cells: readonly Cell[]): string {
  const engines = [...new Set(cells.map(({ engine }) => engine))];
  const groups = [...new Set(cells.map(({ guest, link }) => `${guest}, ${link}`))];
  const rows = groups.flatMap((group) => [
    { label: group, cell: null },
    ...cells
      .filter(({ guest, link }) => `${guest}, ${link}` === group)
      .map((cell) => ({ label: cell.engine, cell })),
  ]);
  const width = labelWidth + figures.length * (barWidth + 70);
  const height = 40 + rows.length * rowHeight + 10;
  const parts = rows.flatMap(({ label, cell }, index) => {
    const y = 40 + index * rowHeight;
    if (cell === null) return [textAt(4, y + 13, label, "bold")];
    const colour = colours[engines.indexOf(cell.engine) % colours.length] ?? "#666666";
    return [
      textAt(16, y + 13, label),
      ...figures.flatMap((figure, column) => bar(cell, figure, column, y, colour)),
    ];
  });
  const heads = figures.map(({ name, suffix }, column) =>
    textAt(labelWidth + column * (barWidth + 70), 24, `${name}, ${suffix} (logarithmic)`, "bold"),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${String(width)}" height="${String(height)}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
${[...heads, ...parts].join("\n")}
</svg>
`;
}

function bar(
  cell: Cell,
  figure: (typeof figures)[number],
  column: number,
  y: number,
  colour: string,
): string[] {
  const x = labelWidth + column * (barWidth + 70);
  const summary = summaryOf(cell[figure.key]);
  if (!cell.ended || summary === null) return [textAt(x, y + 13, "did not end")];
  const decades = 4;
  const share = Math.log10(Math.max(1, summary.median / figure.least)) / decades;
  const length = Math.max(2, Math.min(1, share) * barWidth);
  return [
    `<rect x="${String(x)}" y="${String(y + 3)}" width="${length.toFixed(1)}" height="${String(rowHeight - 6)}" fill="${colour}"/>`,
    textAt(x + length + 4, y + 13, (summary.median / figure.unit).toFixed(figure.unit === 1 ? 0 : 2)),
  ];
}

const textAt = (x: number, y: number, text: string, weight = "normal"): string =>
  `<text x="${x.toFixed(1)}" y="${String(y)}" font-weight="${weight}">${text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</text>`;
