/**
 * Two hosts race for one VM's lease on a file, on NFS and on iSCSI: exactly one runs it, each time. Real sanlock, real storage
 * servers; needs root. Ends with 1 when a try is not as it must be.
 */
import { writeFile } from "node:fs/promises";
import { measure } from "../../bench/measure/interruption.ts";
import { table } from "../../bench/measure/statistics.ts";
import { numberOf, readOptions, wrongUsage } from "../../scripts/options.ts";
import { diskKinds } from "../split-brain/disks/disk.ts";
import { requirePackages } from "../split-brain/packages.ts";
import { isAsItMustBe, race, type Race } from "./race.ts";

const usage = `usage: npm run faults:race -- [--tries N] [--storage KIND] [--json FILE]

  --tries N       on each storage (default: 1000)
  --storage KIND  only this: file, nfs or iscsi; several: give it again
  --json FILE     the results, for other programs`;

const text = { type: "string" } as const;
const values = readOptions(usage, { tries: text, storage: { ...text, multiple: true }, json: text });
const kinds = diskKinds.filter((kind) => values.storage?.includes(kind) ?? true);
if (kinds.length === 0) wrongUsage(usage, `There is no storage "${String(values.storage)}".`);
const tries = numberOf(usage, "--tries", values.tries ?? "1000");

const heading = [
  "storage",
  "tries",
  "one ran",
  "source won",
  "destination won",
  "at once",
  "grants",
  "seconds",
];

await measure(async (interrupted) => {
  await requirePackages();
  const over = new AbortController();
  interrupted.catch((error: unknown) => {
    over.abort(error);
  });
  const races: Race[] = [];
  for (const storage of kinds) {
    const result = await race(storage, tries, over.signal);
    races.push(result);
    console.error(row(result).join("  "));
  }
  console.log(table([heading, ...races.map(row)]));
  for (const { storage, refusals, wrong } of races) {
    const why = Object.entries(refusals).map(([words, times]) => `${String(times)} × ${words}`);
    console.log(`${storage}: the other was refused: ${why.join(", ")}`);
    for (const one of wrong.slice(0, 20)) console.log(`  WRONG ${JSON.stringify(one)}`);
  }
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(races, null, 2)}\n`);
  if (!races.every(isAsItMustBe)) throw new Error("tries are not as they must be");
});

function row(one: Race): string[] {
  const counts = [one.tries, one.tries - one.wrong.length, one.won["source"], one.won["destination"]];
  return [one.storage, ...counts.map(String), String(one.atOnce), String(one.grants), one.seconds.toFixed(0)];
}
