/** The story as it is run in the rack's namespace: chapter after chapter, and what came of them as JSON. */
import { writeFile } from "node:fs/promises";
import { readOptions } from "../../scripts/options.ts";
import { Rack } from "../src/rack.ts";
import { runCells } from "./cells.ts";
import { fence } from "./fencing.ts";
import { Site } from "./site.ts";
import { moveThereAndBack } from "./moves.ts";
import { goOtherWays } from "./ways.ts";
import { failuresOf, type StoryResult } from "./result.ts";
import { storageOf } from "./shared-storage.ts";
import { upgrade } from "./upgrade.ts";
import { StoryVm } from "./story-vm.ts";

const values = readOptions(
  "usage: inside.ts --id RACK [--installed] [--cells none|short|all] [--upgrade FOLDER] [--ways] [--fencing] [--json FILE]",
  {
    id: { type: "string", default: "story" },
    installed: { type: "boolean", default: false },
    cells: { type: "string", default: "none" },
    upgrade: { type: "string" },
    ways: { type: "boolean", default: false },
    fencing: { type: "boolean", default: false },
    json: { type: "string" },
  },
);
const began = performance.now();
const seconds = (): number => Math.round((performance.now() - began) / 100) / 10;
const say = (text: string): void => {
  process.stdout.write(`${seconds().toFixed(1).padStart(6)} s  ${text}\n`);
};

const site = await Site.on(await Rack.open(values.id), say);
const result: StoryResult = {
  servers: [],
  storage: [],
  moves: [],
  ways: [],
  cells: [],
  fencing: [],
  upgrade: null,
  seconds: { install: null, untilFirstMove: 0, whole: 0 },
  cpuid: "",
  failed: 0,
};
try {
  await site.install(values.installed);
  if (!values.installed) result.seconds.install = seconds();
  await site.join();
  result.servers = await site.describe();
  result.storage = [await storageOf(site.hosts)];
  const vm = await StoryVm.start(site, say);
  if (values.upgrade !== undefined) {
    result.upgrade = await upgrade(site, vm, values.upgrade, say);
  }
  result.moves = await moveThereAndBack(site, vm, say, () => {
    result.seconds.untilFirstMove ||= seconds();
  });
  if (values.ways) result.ways = await goOtherWays(site, vm, say);
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
