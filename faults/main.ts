/**
 * The fault campaign: in a lab, under a client's load, each fault in each phase of a move.
 *
 * Prints a line for each cell and all of them as a table. Ends with 1 when a cell failed, with 2 for wrong usage.
 */
import { writeFile } from "node:fs/promises";
import { Campaign, type PlannedCell } from "./campaign.ts";
import type { CellResult } from "./cell.ts";
import { faults } from "./faults/index.ts";
import { matrixOf } from "./matrix.ts";
import { phases, type Phase } from "./phases.ts";
import { plan, shortPlan } from "./plan.ts";
import { readOptions, wrongUsage } from "../scripts/options.ts";

const usage = `usage: npm run faults -- [--short] [--phase NAME]… [--fault NAME]… [--json FILE] [--keep FOLDER] [--qemu VERSION or PATH]

  --short        the shorter plan
  --phase NAME   cells of this phase only
  --fault NAME   cells of this fault only
  --json FILE    the results, written after every cell
  --keep FOLDER  copies logs and journals of labs in which a cell failed to it
  --qemu X       the QEMU of both hosts, by version or path; default: the newest of this machine`;

const values = readOptions(usage, {
  short: { type: "boolean", default: false },
  phase: { type: "string", multiple: true, default: [] },
  fault: { type: "string", multiple: true, default: [] },
  json: { type: "string" },
  keep: { type: "string" },
  qemu: { type: "string" },
});

const results: CellResult[] = [];
/** Cells that could not be run, each with why: nothing is known of them. */
const notRun: { phase: Phase; fault: string; why: string }[] = [];
const isSound = ({ problems }: CellResult): boolean => problems.length === 0;

async function tell(result: CellResult, of: number): Promise<void> {
  results.push(result);
  const { phase, fault, outcome, recoveryMs, writeGapMs, problems } = result;
  const end = `${outcome}, well after ${(recoveryMs / 1000).toFixed(1)} s, writes stood still ${(writeGapMs / 1000).toFixed(1)} s`;
  console.log(
    `${String(results.length)}/${String(of)} ${phase} ${fault}: ${problems.length === 0 ? end : "FAILED"}`,
  );
  for (const problem of problems) console.log(`    ${problem}`);
  await save();
}

async function save(): Promise<void> {
  if (values.json === undefined) return;
  await writeFile(values.json, `${JSON.stringify({ cells: results, notRun, failed: failed() }, null, 2)}\n`);
}

const failed = (): number => results.filter((one) => !isSound(one)).length + notRun.length;

function chosen(): PlannedCell[] {
  const unknown = [
    ...values.phase.filter((name) => !phases.includes(name as Phase)).map((name) => `phase ${name}`),
    ...values.fault
      .filter((name) => !faults.some((fault) => fault.name === name))
      .map((name) => `fault ${name}`),
  ];
  if (unknown.length > 0) {
    const known = `  Phases: ${phases.join(" ")}\n  Faults: ${faults.map(({ name }) => name).join(" ")}`;
    wrongUsage(usage, `There is no ${unknown.join(", no ")}.\n${known}`);
  }
  return (values.short ? shortPlan() : plan()).filter(
    ({ phase, fault }) =>
      (values.phase.length === 0 || values.phase.includes(phase)) &&
      (values.fault.length === 0 || values.fault.includes(fault.name)),
  );
}

async function runAll(campaign: Campaign, cells: readonly PlannedCell[]): Promise<void> {
  for (const cell of cells) {
    try {
      await tell(await campaign.cell(cell), cells.length);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      notRun.push({ phase: cell.phase, fault: cell.fault.name, why });
    }
  }
}

async function main(): Promise<number> {
  const cells = chosen();
  const interrupted = Promise.withResolvers<"interrupted">();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      interrupted.resolve("interrupted");
    });
  }
  await using campaign = new Campaign({
    qemu: values.qemu ?? null,
    keep: values.keep ?? null,
    onTrouble: (text) => {
      console.error(text);
    },
  });
  const end = await Promise.race([runAll(campaign, cells), interrupted.promise]);
  await save();
  console.log(`\n${matrixOf(results, phases)}\n`);
  console.log(`${String(results.length)} of ${String(cells.length)} cells, ${String(failed())} failed`);
  return failed() > 0 || end === "interrupted" ? 1 : 0;
}

// What an interrupted cell still waits for must not hold the process.
process.exit(await main());
