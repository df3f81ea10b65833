/** Copies onto the LUN that do not go through at once: one is cancelled, and of one the agent is killed. Each leaves no volume without a VM. */
import type { Task } from "@godwit/contract";
import { until } from "@godwit/system";
import type { Server } from "../src/server.ts";
import type { Site } from "../story/site.ts";
import { checksums, makeFilesVm } from "./files-vm.ts";
import { deleteAll, ended } from "./races.ts";
import { metadataOn } from "./volumes.ts";

const from = "cut-from";
const copy = "cut-copy";
const back = "cut-back";
/** Its volume is zeroed for longer than it takes to ask for its end. */
const sizeMib = 512;
const limitMs = 600_000;

interface Lun {
  datastore: string;
  wwn: string;
}

/** @returns what does not hold */
export async function cutClones(site: Site, lun: Lun, say: (text: string) => void): Promise<string[]> {
  const [host] = site.hosts;
  if (host === undefined) throw new TypeError("a rack has hosts");
  const isOwn = ({ name }: { name: string }) => [from, copy, back].includes(name);
  await deleteAll(site, (await site.api.call("vmList", { query: {} })).vms.filter(isOwn));
  const { path } = await makeFilesVm(site, host, { name: from, sizeMib });
  const before = (await metadataOn(host, lun.wwn)).volumes.length;
  const made = async () => (await metadataOn(host, lun.wwn)).volumes.length - before;
  const problems = [
    ...(await cancelled(site, lun, made, say)),
    ...(await agentKilled(site, host, { ...lun, path }, made, say)),
  ];
  await deleteAll(site, (await site.api.call("vmList", { query: {} })).vms.filter(isOwn));
  const left = await made();
  return [...problems, ...(left === 0 ? [] : [`${String(left)} volumes of deleted copies are left`])];
}

/** Begins a copy. @returns its task, once its volume is there */
async function startedTask(site: Site, { datastore }: Lun, made: () => Promise<number>): Promise<Task["id"]> {
  const body = { name: copy, datastore };
  const { id } = await site.api.call("vmClone", { params: { vm: from }, body });
  const isThere = await until(async () => ((await made()) > 0 ? true : null), { everyMs: 500, limitMs });
  if (isThere === null) throw new Error("the copy's volume was not made");
  return id;
}

async function cancelled(
  site: Site,
  lun: Lun,
  made: () => Promise<number>,
  say: (text: string) => void,
): Promise<string[]> {
  say("cancelling a copy onto the LUN");
  const id = await startedTask(site, lun, made);
  await site.api.call("taskCancel", { params: { task: id } });
  const { state } = await ended(site, id);
  const left = await made();
  const { vms } = await site.api.call("vmList", { query: {} });
  const isVm = vms.some(({ name }) => name === copy);
  say(`  its task ${state}; ${String(left)} volumes left`);
  return [
    ...(state === "cancelled" ? [] : [`the task of a cancelled copy ${state}`]),
    ...(left === 0 ? [] : [`${String(left)} volumes of a cancelled copy are left`]),
    ...(isVm ? ["a cancelled copy is a VM"] : []),
  ];
}

async function agentKilled(
  site: Site,
  host: Server,
  lun: Lun & { path: string },
  made: () => Promise<number>,
  say: (text: string) => void,
): Promise<string[]> {
  say("killing the agent while it copies a VM onto the LUN");
  const id = await startedTask(site, lun, made);
  await host.run("systemctl", "kill", "--signal=KILL", "godwit-agent.service");
  const { state, error } = await ended(site, id);
  const volumes = await made();
  const { vms } = await site.api.call("vmList", { query: {} });
  const isVm = vms.some(({ name }) => name === copy);
  if (isVm) await site.command(`godwit vm clone ${copy} ${back} --datastore shared`);
  const isSame = !isVm || new Set(await checksums(site, [lun.path, `${back}/data.raw`])).size === 1;
  say(`  the task ${state}; ${String(volumes)} volumes; the copy is ${isVm ? "" : "not "}a VM`);
  return [
    ...(state === "succeeded" ? [] : [`the task of a copy ${state}: ${error?.detail ?? ""}`]),
    ...(volumes === (isVm ? 1 : 0) ? [] : [`${String(volumes)} volumes of the copy are there`]),
    ...(isSame ? [] : ["a copy whose agent was killed is not the same as the first"]),
  ];
}
