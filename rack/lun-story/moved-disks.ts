/** Disks that move between files and the LUN: of the running VM under a client's writes, with an agent that is killed meanwhile, and of a VM at rest, which is exported, too. */
import type { Vm } from "@godwit/contract";
import { until } from "@godwit/system";
import { sharedFolder } from "../story/shared-storage.ts";
import { moveTo } from "../story/moves.ts";
import type { Site } from "../story/site.ts";
import type { StoryVm } from "../story/story-vm.ts";
import { checksums, makeFilesVm } from "./files-vm.ts";
import { deleteAll } from "./races.ts";
import { activeOn, metadataOn } from "./volumes.ts";

interface Lun {
  datastore: string;
  wwn: string;
}

const atRestName = "moved-disk";
const importedName = "moved-import";
const sizeMib = 64;
const limitMs = 600_000;

/** @returns what does not hold */
export async function movedDisks(
  site: Site,
  vm: StoryVm,
  lun: Lun,
  say: (text: string) => void,
): Promise<string[]> {
  return [
    ...(await thereAndBack(site, vm, lun, say)),
    ...(await agentKilled(site, vm, lun, say)),
    ...(await atRest(site, lun, say)),
  ];
}

type Disk = Vm["disks"][number];
const diskOf = async (vm: StoryVm): Promise<Disk | undefined> =>
  (await vm.view()).config.disks.find(({ name }) => name === "data");
const isThere = async (site: Site, disk: Disk | undefined): Promise<boolean> =>
  (await site.server.shell(`test -e ${sharedFolder}/${disk?.path ?? "."} && echo there || true`)).trim() !==
  "";

/** By LVM's metadata on the LUN, and by each host's device-mapper. */
async function volumeOf(site: Site, { wwn }: Lun, id: string): Promise<{ made: boolean; active: string }> {
  const [host] = site.hosts;
  if (host === undefined) throw new TypeError("a rack has hosts");
  const made = (await metadataOn(host, wwn)).volumes.includes(`vol.${id.replaceAll("-", "")}.data`);
  return { made, active: (await activeOn(site.hosts, id)).join() };
}

async function thereAndBack(
  site: Site,
  vm: StoryVm,
  lun: Lun,
  say: (text: string) => void,
): Promise<string[]> {
  say("moving the disk of the running VM from the LUN to a file, and back");
  const { id, host } = await vm.view();
  await using load = await vm.load();
  await site.command(`godwit vm migrate ${vm.name} --datastore shared`);
  const file = await diskOf(vm);
  const away = await volumeOf(site, lun, id);
  const wasThere = await isThere(site, file);
  await site.command(`godwit vm migrate ${vm.name} --datastore ${lun.datastore}`);
  const back = await volumeOf(site, lun, id);
  const isLeft = await isThere(site, file);
  const qemus = await vm.qemus();
  const { lost, acknowledged } = await load.finish([]);
  const to = site.hosts.find(({ name }) => name !== host)?.name ?? host;
  const move = await moveTo(site, vm, to, say);
  const moved = await volumeOf(site, lun, id);
  say(
    `  as a file ${file?.path ?? "nowhere"}; its volume ${away.made ? "was still there" : "was gone"}, and is active on ${back.active} now, after a move on ${moved.active}; ${String(acknowledged)} writes meanwhile, ${String(lost + move.lost)} lost`,
  );
  return [
    ...(file?.format === "raw" && wasThere ? [] : ["the disk was no raw file on shared"]),
    ...(away.made || away.active !== "" ? ["the volume of a disk that had become a file was left"] : []),
    ...(back.made && back.active === host ? [] : [`its volume is active on ${back.active || "no host"}`]),
    ...(isLeft ? ["the file of the disk that has come to the LUN is left"] : []),
    ...(qemus.length === 1 && qemus[0]?.running === true ? [] : [`its QEMUs are ${JSON.stringify(qemus)}`]),
    ...(moved.active === to ? [] : [`after a move its volume is active on ${moved.active || "no host"}`]),
    ...(lost + move.lost === 0 ? [] : [`${String(lost + move.lost)} writes were lost`]),
  ];
}

/** While the disk comes to the LUN: the task goes on with the agent that is started again. */
async function agentKilled(
  site: Site,
  vm: StoryVm,
  lun: Lun,
  say: (text: string) => void,
): Promise<string[]> {
  say("killing the agent while the disk of the running VM comes to the LUN");
  const { id, host } = await vm.view();
  await site.command(`godwit vm migrate ${vm.name} --datastore shared`);
  const file = await diskOf(vm);
  await using load = await vm.load();
  const { id: task } = await site.api.call("vmDisksRelocate", {
    ...{ params: { vm: vm.name }, body: { datastore: lun.datastore } },
  });
  const begins = async () => ((await volumeOf(site, lun, id)).made ? true : null);
  const began = await until(begins, { everyMs: 500, limitMs });
  await site.rack.server(host).run("systemctl", "kill", "--signal=KILL", "godwit-agent.service");
  const { state, error } = await vm.ended(task);
  const { made, active } = await volumeOf(site, lun, id);
  const disk = await diskOf(vm);
  const isLeft = await isThere(site, file);
  const { lost, acknowledged } = await load.finish([]);
  say(
    `  the task ${state}; its volume is active on ${active || "no host"}; ${String(acknowledged)} writes meanwhile, ${String(lost)} lost`,
  );
  return [
    ...(began === true ? [] : ["the volume was not made"]),
    ...(state === "succeeded" ? [] : [`the task of the move ${state}: ${error?.detail ?? ""}`]),
    ...(disk?.datastore === lun.datastore && made && active === host && !isLeft
      ? []
      : [
          `the disk lies on ${disk?.datastore ?? "shared"}, its volume is active on ${active || "no host"}, and its file is ${isLeft ? "left" : "gone"}`,
        ]),
    ...(lost === 0 ? [] : [`${String(lost)} writes were lost`]),
  ];
}

async function atRest(site: Site, lun: Lun, say: (text: string) => void): Promise<string[]> {
  say("moving the disk of a VM at rest onto the LUN, exporting it there, and moving it back");
  const [host] = site.hosts;
  if (host === undefined) throw new TypeError("a rack has hosts");
  const names = [atRestName, importedName];
  const own = (await site.api.call("vmList", { query: {} })).vms.filter(({ name }) => names.includes(name));
  await deleteAll(site, own);
  await site.server.shell(`rm -f ${sharedFolder}/${atRestName}.ova`);
  const { path } = await makeFilesVm(site, host, { name: atRestName, sizeMib });
  const [before = ""] = await checksums(site, [path]);
  const { id } = await site.api.call("vmShow", { params: { vm: atRestName } });
  await site.command(`godwit vm migrate ${atRestName} --datastore ${lun.datastore}`);
  const there = await volumeOf(site, lun, id);
  await site.command(`godwit vm export ${atRestName} shared:${atRestName}.ova`);
  await site.server.shell(`chmod a+r ${sharedFolder}/${atRestName}.ova`);
  await site.command(`godwit vm import shared:${atRestName}.ova --name ${importedName} --format raw`);
  const { config } = await site.api.call("vmShow", { params: { vm: importedName } });
  await site.command(`godwit vm migrate ${atRestName} --datastore shared`);
  const after = await volumeOf(site, lun, id);
  const copies = await checksums(site, [path, ...config.disks.map((disk) => disk.path)]);
  const areSame = copies.length === 2 && copies.every((one) => one === before);
  await deleteAll(
    site,
    names.map((name) => ({ name })),
  );
  say(
    `  on the LUN ${there.made ? "as a volume" : "not at all"}, active on ${there.active || "no host"}; back as a file, and of the export: ${areSame ? "the same" : "another"} content`,
  );
  return [
    ...(there.made && there.active === "" ? [] : ["the disk at rest is no volume that is active nowhere"]),
    ...(after.made || after.active !== ""
      ? ["the volume of a disk at rest that has left the LUN is left"]
      : []),
    ...(areSame ? [] : ["what has come back from the LUN, or was exported from it, has another content"]),
  ];
}
