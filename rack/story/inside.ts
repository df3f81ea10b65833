/** The story as it is run in the rack's namespace: chapter after chapter, and what came of them as JSON. */
import { writeFile } from "node:fs/promises";
import { readOptions } from "../../scripts/options.ts";
import { Rack } from "../src/rack.ts";
import { runCells } from "./cells.ts";
import { fence } from "./fencing.ts";
import { Site } from "./site.ts";
import { moveThereAndBack } from "./moves.ts";
import { failuresOf, type StoryResult } from "./result.ts";
import { StoryVm } from "./story-vm.ts";

const values = readOptions("usage: inside.ts --id RACK [--cells none|short|all] [--fencing] [--json FILE]", {
  id: { type: "string", default: "story" },
  cells: { type: "string", default: "none" },
  fencing: { type: "boolean", default: false },
  json: { type: "string" },
});
const began = performance.now();
const seconds = (): number => Math.round((performance.now() - began) / 100) / 10;
const say = (text: string): void => {
  process.stdout.write(`${seconds().toFixed(1).padStart(6)} s  ${text}\n`);
};

const site = await Site.on(await Rack.open(values.id), say);
const result: StoryResult = {
  servers: [],
  moves: [],
  cells: [],
  fencing: [],
  seconds: { install: 0, untilFirstMove: 0, whole: 0 },
  cpuid: "",
  failed: 0,
};
try {
  await site.install();
  result.seconds.install = seconds();
  await site.join();
  result.servers = await site.describe();
  const vm = await StoryVm.start(site, say);
  result.moves = await moveThereAndBack(site, vm, say, () => {
    result.seconds.untilFirstMove ||= seconds();
  });
  result.cpuid = vm.cpuidWords;
  if (values.fencing) result.fencing = await fence(site, vm, say);
  if (values.cells !== "none") result.cells = await runCells(site, vm, values.cells === "all", say);
} catch (error) {
  process.stderr.write(await site.journals());
  throw error;
} finally {
  result.seconds.whole = seconds();
  const failures = failuresOf(result);
  result.failed = failures.length;
  for (const failure of failures) say(`FAILED: ${failure}`);
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(result, null, 2)}\n`);
  await site.close();
}
say(
  `${String(result.moves.length)} moves and ${String(result.cells.length)} cells; failed: ${String(result.failed)}`,
);
process.exitCode = result.failed === 0 ? 0 : 1;
