/**
 * The campaign of restarts: a VM's host dies, its pool starts it again elsewhere, and a fault comes into that, under a client's writes.
 *
 * Prints a line for each cell. Ends with 1 when a cell failed or could not be run, with 2 for wrong usage.
 */
import { writeFile } from "node:fs/promises";
import { readOptions, wrongUsage } from "../../scripts/options.ts";
import { runRestartCell, type RestartResult } from "./cell.ts";
import { moments, restartCells } from "./cells.ts";

const usage = `usage: npm run faults:restarts -- [--moment NAME]… [--fault NAME]… [--json FILE]

  --moment NAME  cells of this moment only: ${moments.join(", ")}
  --fault NAME   cells of this fault only
  --json FILE    the results, written after every cell`;

const values = readOptions(usage, {
  moment: { type: "string", multiple: true, default: [] },
  fault: { type: "string", multiple: true, default: [] },
  json: { type: "string" },
});
const cells = restartCells().filter(
  ({ moment, fault }) =>
    (values.moment.length === 0 || values.moment.includes(moment)) &&
    (values.fault.length === 0 || values.fault.includes(fault.name)),
);
if (cells.length === 0) wrongUsage(usage, "There is no such cell.");

const results: RestartResult[] = [];
let failed = 0;
for (const [index, cell] of cells.entries()) {
  const name = `${String(index + 1)}/${String(cells.length)} ${cell.moment} ${cell.fault.name}`;
  try {
    const result = await runRestartCell(cell);
    results.push(result);
    const { host, recoveryMs, acknowledged, problems } = result;
    const end = `runs on ${host ?? "no host"}, well after ${(recoveryMs / 1000).toFixed(1)} s, ${String(acknowledged)} writes`;
    console.log(`${name}: ${problems.length === 0 ? end : "FAILED"}`);
    for (const problem of problems) console.log(`    ${problem}`);
    if (problems.length > 0) failed += 1;
  } catch (error) {
    failed += 1;
    console.log(`${name}: not run: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify({ cells: results, failed }, null, 2)}\n`);
}
console.log(`${String(cells.length)} cells, ${String(failed)} failed`);
if (failed > 0) process.exitCode = 1;
