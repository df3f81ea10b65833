/**
 * The split-brain matrix: after a migration, before anyone runs, the source, the destination, both, or a third host
 * goes on; the disk is a file, on NFS or on iSCSI; with and without the lease. Real QEMU, real storage servers,
 * real sanlock; needs root. Ends with 1 when a cell is not as it must be.
 */
import { writeFile } from "node:fs/promises";
import { measure } from "../../bench/measure/interruption.ts";
import { table } from "../../bench/measure/statistics.ts";
import { runMatrix } from "./matrix.ts";
import { heading, outcomeText } from "./outcome.ts";
import { requirePackages } from "./packages.ts";
import { readOptions } from "../../scripts/options.ts";

const usage = `usage: npm run split-brain -- [--json FILE]

  --json FILE  the results, for other programs`;

const values = readOptions(usage, { json: { type: "string" } });

await measure(async (interrupted) => {
  await requirePackages();
  const over = new AbortController();
  interrupted.catch((error: unknown) => {
    over.abort(error);
  });
  const matrix = await runMatrix((outcome) => {
    console.error(outcomeText(outcome).join("  "));
  }, over.signal);
  console.log(table([heading, ...matrix.cells.map(outcomeText)]));
  const doubles = (lease: boolean) =>
    String(matrix.cells.filter((one) => one.lease === lease && one.doubled).length);
  console.log(
    `ran twice: ${doubles(true)} with the lease, ${doubles(false)} without; failed: ${String(matrix.failed)}`,
  );
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(matrix, null, 2)}\n`);
  if (matrix.failed > 0) throw new Error("cells are not as they must be");
});
