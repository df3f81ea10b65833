/** The story as it is run in the rack's namespace: chapter after chapter, and what came of them as JSON. */
import { writeFile } from "node:fs/promises";
import { readOptions } from "../../scripts/options.ts";
import { Rack } from "../src/rack.ts";
import { appArmor } from "./app-armor.ts";
import { bonded } from "./bond.ts";
import { cells } from "./cells.ts";
import { chapters } from "./chapters.ts";
import { cpuLimit } from "./cpu-limit.ts";
import { evc } from "./evc.ts";
import { fencedByProgram } from "./fence-program.ts";
import { fencing } from "./fencing.ts";
import { Site } from "./site.ts";
import { memoryGrowth } from "./memory-growth.ts";
import { movesThereAndBack } from "./moves.ts";
import { otherWays } from "./ways.ts";
import { failuresOf, type StoryResult } from "./result.ts";
import { storageOf } from "./shared-storage.ts";
import { upgrade } from "./upgrade.ts";
import { StoryVm } from "./story-vm.ts";
import { tagged } from "./tagged.ts";
import { withoutKvm } from "./without-kvm.ts";

const values = readOptions(
  "usage: inside.ts --id RACK [--installed] [--only] [--cells none|short|all] [--upgrade FOLDER] [--CHAPTER]… [--json FILE]",
  {
    id: { type: "string", default: "story" },
    installed: { type: "boolean", default: false },
    only: { type: "boolean", default: false },
    cells: { type: "string", default: "none" },
    upgrade: { type: "string" },
    ...chapters,
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
  takeovers: [],
  upgrade: null,
  evc: null,
  tagged: null,
  bond: null,
  cpuLimit: [],
  appArmor: null,
  memoryGrowth: null,
  withoutKvm: null,
  seconds: { install: null, untilVm: 0, whole: 0 },
  cpuid: "",
  brokeOff: "it was ended",
  failed: 0,
};
/** What is known so far, for whoever ends the story early. */
const keep = async (): Promise<void> => {
  result.seconds.whole = seconds();
  result.failed = failuresOf(result).length;
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(result, null, 2)}\n`);
};
async function all<Part>(parts: AsyncIterable<Part>, into: Part[]): Promise<void> {
  for await (const part of parts) {
    into.push(part);
    await keep();
  }
}

try {
  await site.install(values.installed);
  if (!values.installed) result.seconds.install = seconds();
  await site.join();
  await site.releaseHolds();
  result.servers = await site.describe();
  result.storage = [await storageOf(site.hosts)];
  const vm = await StoryVm.start(site, say);
  result.seconds.untilVm = seconds();
  if (values.upgrade !== undefined) result.upgrade = await upgrade(site, vm, values.upgrade, say);
  if (values.evc) result.evc = await evc(site, vm, say);
  if (!values.only) await all(movesThereAndBack(site, vm, say), result.moves);
  if (values.apparmor) result.appArmor = await appArmor(site, vm, say);
  if (!values.only) result.cpuLimit = await cpuLimit(site, vm, say);
  if (values.tagged) result.tagged = await tagged(site, vm, say);
  if (values.bond) result.bond = await bonded(site, vm, say);
  if (values["memory-growth"]) result.memoryGrowth = await memoryGrowth(site, vm, say);
  if (values["without-kvm"]) result.withoutKvm = await withoutKvm(site, vm, say);
  if (values.ways) await all(otherWays(site, vm, say), result.ways);
  result.cpuid = vm.cpuidWords;
  if (values.fencing) await all(fencing(site, vm, say), result.fencing);
  if (values["fence-program"]) await all(fencedByProgram(site, vm, say), result.takeovers);
  if (values.cells !== "none") await all(cells(site, vm, values.cells === "all", say), result.cells);
  result.brokeOff = null;
} catch (error) {
  result.brokeOff = error instanceof Error ? error.message : String(error);
  process.stderr.write(await site.journals());
  throw error;
} finally {
  for (const failure of failuresOf(result)) say(`FAILED: ${failure}`);
  await keep();
  await site.close();
}
say(
  `${String(result.moves.length)} moves and ${String(result.cells.length)} cells; failed: ${String(result.failed)}`,
);
process.exitCode = result.failed === 0 ? 0 : 1;
