/** The LUN's story as it is run in the rack's namespace, and what came of it as JSON. */
import { writeFile } from "node:fs/promises";
import { until } from "@godwit/system";
import { readOptions } from "../../scripts/options.ts";
import { Rack } from "../src/rack.ts";
import { fencing } from "../story/fencing.ts";
import { movesThereAndBack } from "../story/moves.ts";
import type { FencingResult, MoveResult, ServerResult } from "../story/result.ts";
import { Site } from "../story/site.ts";
import { StoryVm } from "../story/story-vm.ts";
import { volumeChanges } from "./changes.ts";
import { clonesOnLun } from "./clones.ts";
import { cutClones } from "./cut-clones.ts";
import { shareLun } from "./lun.ts";
import { movedDisks } from "./moved-disks.ts";
import { pathCut, type PathCutResult } from "./path-cut.ts";
import { makersRace, startsRace } from "./races.ts";
import { reservations, type ReservationsResult } from "./reservations.ts";
import { disksOfRunning } from "./running-disks.ts";
import { activeOn, activatedByBoot } from "./volumes.ts";

const values = readOptions("usage: inside.ts --id RACK [--multipath] [--reservations] [--json FILE]", {
  id: { type: "string", default: "lun" },
  multipath: { type: "boolean", default: false },
  reservations: { type: "boolean", default: false },
  json: { type: "string" },
});
const began = performance.now();
const say = (text: string): void => {
  process.stdout.write(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
};
const limitMs = 300_000;
const datastore = "san";
const disk = `{ name: data, datastore: ${datastore}, format: raw, image: guest/data.qcow2, imageFormat: qcow2, imageDatastore: shared }`;

const site = await Site.on(await Rack.open(values.id), say);
interface LunResult {
  servers: ServerResult[];
  storage: string[];
  moves: MoveResult[];
  pathCut: PathCutResult | null;
  reservations: ReservationsResult | null;
  fencing: FencingResult[];
  problems: string[];
}
const result: LunResult = {
  servers: [],
  storage: [`LVM on a LUN, ${values.multipath ? "multipath, " : ""}iSCSI of Linux's kernels`],
  ...{ moves: [], pathCut: null, reservations: null, fencing: [], problems: [] },
};
const must = (holds: boolean, otherwise: string): void => {
  if (holds) return;
  say(`PROBLEM: ${otherwise}`);
  result.problems.push(otherwise);
};

try {
  await site.install(true);
  await site.join();
  result.servers = await site.describe();
  say("sharing a LUN");
  const wwn = await shareLun(
    site.server,
    site.hosts,
    values.multipath ? ["management", "migration"] : values.reservations ? ["migration"] : ["management"],
  );
  const known = await site.api.call("datastoreList", {});
  if (!known.datastores.some(({ name }) => name === datastore)) {
    const { stdout } = await site.command(`godwit datastore add ${datastore} --lun ${wwn} --init`);
    say(stdout.trim());
  }
  const seen = await until(
    async () => {
      const { hosts } = await site.api.call("datastoreShow", { params: { datastore } });
      const isSame = new Set(hosts.map(({ id }) => id)).size === 1;
      const areUp = hosts.every(({ state, leases }) => state === "available" && leases?.state === "joined");
      return isSame && areUp && hosts.length === site.hosts.length;
    },
    { everyMs: 2000, limitMs },
  );
  must(seen === true, "the hosts do not all see the LUN as the same datastore, with its leases");
  if (!values.reservations)
    for (const problem of await makersRace(site, datastore, wwn, say)) must(false, problem);

  const vm = await StoryVm.start(site, say, disk);
  const { id, host } = await vm.view();
  const mustBeActiveOn = async (where: string, when: string): Promise<void> => {
    const active = await activeOn(site.hosts, id);
    say(`  its volume is active on ${active.join(" and ") || "no host"}`);
    must(active.join() === where, `${when} its volume is active on ${active.join(" and ") || "no host"}`);
  };
  await mustBeActiveOn(host, "after its start");
  for (const other of site.hosts) {
    const names = await activatedByBoot(other);
    must(names.length === 0, `LVM of ${other.name} activates ${names.join(", ")} as at boot`);
  }
  if (values.reservations) {
    const found = await reservations(site, vm, { datastore, wwn }, say);
    result.reservations = found;
    const problems = [...found.takeovers, found.targetRestart].flatMap((one) => one?.problems ?? []);
    for (const problem of [...found.problems, ...problems]) must(false, `reservations: ${problem}`);
  }
  for await (const move of movesThereAndBack(site, vm, say)) {
    result.moves.push(move);
    must(move.lost === 0, `a move to ${move.to} lost ${String(move.lost)} writes`);
    await mustBeActiveOn(move.to, `after the move to ${move.to}`);
  }
  if (values.multipath && !values.reservations) {
    const cut = await pathCut(site, vm, say);
    result.pathCut = cut;
    for (const problem of cut.problems) must(false, `a cut path: ${problem}`);
    must(cut.lost === 0, `a cut path lost ${String(cut.lost)} writes`);
  }
  if (!values.reservations) {
    for (const problem of await volumeChanges(site, vm, { datastore, wwn }, say)) must(false, problem);
    for (const problem of await disksOfRunning(site, vm, { datastore, wwn }, say)) must(false, problem);
    for (const problem of await clonesOnLun(site, { datastore, wwn }, say)) must(false, problem);
    for (const problem of await cutClones(site, { datastore, wwn }, say)) must(false, problem);
    for (const problem of await movedDisks(site, vm, { datastore, wwn }, say)) must(false, problem);
    for (const problem of await startsRace(site, vm, say)) must(false, problem);
    await mustBeActiveOn((await vm.view()).host, "after two starts at once");
    for await (const one of fencing(site, vm, say, ["storage-cut"])) {
      result.fencing.push(one);
      for (const problem of one.problems) must(false, `${one.fault}: ${problem}`);
      must(one.lost === 0, `${one.fault} lost ${String(one.lost)} writes`);
    }
    await mustBeActiveOn((await vm.view()).host, "after its storage was cut");
  }
} catch (error) {
  result.problems.push(error instanceof Error ? error.message : String(error));
  process.stderr.write(await site.journals());
  throw error;
} finally {
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(result, null, 2)}\n`);
  await site.close();
}
say(`${String(result.moves.length)} moves; problems: ${String(result.problems.length)}`);
process.exitCode = result.problems.length === 0 ? 0 : 1;
