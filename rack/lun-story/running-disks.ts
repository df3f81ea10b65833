/** Disks on the LUN that come to the running VM: over blocks that were another's, with the VM to another host, and with an agent that is killed meanwhile. */
import { until } from "@godwit/system";
import { moveTo } from "../story/moves.ts";
import type { Site } from "../story/site.ts";
import type { StoryVm } from "../story/story-vm.ts";
import { extentsOn, leaveDirty, metadataOn, notZeroIn } from "./volumes.ts";

const mib = 1048576;
const sizeMib = 64;
const cutMib = 512;
const limitMs = 600_000;

/** @returns what does not hold */
export async function disksOfRunning(
  site: Site,
  vm: StoryVm,
  lun: { datastore: string; wwn: string },
  say: (text: string) => void,
): Promise<string[]> {
  return [...(await cameAndMoved(site, vm, lun, say)), ...(await cutOff(site, vm, lun, say))];
}

const sizesOf = async (site: Site, vm: StoryVm): Promise<Map<string, number | null>> => {
  const { disks } = await site.api.call("vmDiskList", { params: { vm: vm.name } });
  return new Map(disks.map(({ name, sizeBytes }) => [name, sizeBytes]));
};
const addTo = (vm: StoryVm, name: string, size: number, datastore: string): string =>
  `godwit vm disk add ${vm.name} --name ${name} --size ${String(size)}MiB --format raw --datastore ${datastore}`;

async function cameAndMoved(
  site: Site,
  vm: StoryVm,
  { datastore, wwn }: { datastore: string; wwn: string },
  say: (text: string) => void,
): Promise<string[]> {
  say("adding a volume while the VM runs, over blocks that a removed volume has left");
  const { id, host: from } = await vm.view();
  const host = site.rack.server(from);
  const volume = `vol.${id.replaceAll("-", "")}.live`;
  const dirty = await leaveDirty(host, wwn, sizeMib);
  await using load = await vm.load();
  await site.command(addTo(vm, "live", sizeMib, datastore));
  const reused = ((await extentsOn(host, wwn)).get(volume) ?? []).filter((extent) =>
    dirty.has(extent),
  ).length;
  const notZero = await notZeroIn(host, volume, sizeMib * mib);
  const seen = (await sizesOf(site, vm)).get("live");
  const { lost } = await load.finish([]);
  const to = site.hosts.find(({ name }) => name !== from)?.name ?? from;
  const move = await moveTo(site, vm, to, say);
  const there = (await sizesOf(site, vm)).get("live");
  await site.command(`godwit vm disk remove ${vm.name} live`);
  await moveTo(site, vm, from, say);
  const left = (await metadataOn(host, wwn)).volumes.includes(volume);
  say(
    `  ${String(reused)} of its extents were another's; ${String(notZero)} bytes of it are not zero; QEMU has ${String(Number(seen) / mib)} MiB, after the move ${String(Number(there) / mib)} MiB; ${String(lost + move.lost)} writes lost`,
  );
  return [
    ...(reused > 0 ? [] : ["no extent of the new disk was one that had been written: nothing is proven"]),
    ...(notZero === 0 ? [] : [`${String(notZero)} bytes of the new disk are another disk's`]),
    ...(seen === sizeMib * mib ? [] : [`QEMU has ${String(seen)} bytes of the new disk`]),
    ...(there === sizeMib * mib ? [] : [`after the move QEMU has ${String(there)} bytes of the new disk`]),
    ...(left ? ["the volume of the removed disk is left"] : []),
    ...(lost + move.lost === 0 ? [] : [`${String(lost + move.lost)} writes were lost`]),
  ];
}

/** The agent is killed while the volume is zeroed: its disk is the VM's, or the volume is gone. */
async function cutOff(
  site: Site,
  vm: StoryVm,
  { datastore, wwn }: { datastore: string; wwn: string },
  say: (text: string) => void,
): Promise<string[]> {
  say("killing the agent while it adds a volume to the running VM");
  const { id, host: name } = await vm.view();
  const host = site.rack.server(name);
  const volume = `vol.${id.replaceAll("-", "")}.cut`;
  const isThere = async () => (await metadataOn(host, wwn)).volumes.includes(volume);
  await using load = await vm.load();
  const body = { name: "cut", sizeMib: cutMib, format: "raw" as const, datastore };
  const task = await site.api.call("vmDiskAdd", { params: { vm: vm.name }, body });
  const began = await until(isThere, { everyMs: 500, limitMs });
  await host.run("systemctl", "kill", "--signal=KILL", "godwit-agent.service");
  const { state } = await vm.ended(task.id);
  const agrees = async () => {
    const sizes = await sizesOf(site, vm).catch(() => null);
    return sizes !== null && sizes.has("cut") === (await isThere());
  };
  const isSettled = await until(agrees, { everyMs: 2000, limitMs });
  const cutBytes = (await sizesOf(site, vm)).get("cut");
  const notZero = cutBytes === undefined ? 0 : await notZeroIn(host, volume, cutMib * mib);
  if (cutBytes !== undefined) await site.command(`godwit vm disk remove ${vm.name} cut`);
  const left = await isThere();
  const { lost } = await load.finish([]);
  say(
    `  the task ${state}; ${cutBytes === undefined ? "the VM does not have the disk" : "the VM has the disk"}; ${left ? "its volume is left" : "no volume is left"}; ${String(lost)} writes lost`,
  );
  return [
    ...(began === true ? [] : ["the volume was not made"]),
    ...(isSettled === true ? [] : ["after the agent was killed, the volume and the VM's disks do not agree"]),
    ...(notZero === 0 ? [] : [`${String(notZero)} bytes of the disk are another disk's`]),
    ...(left ? ["the volume is left without a disk"] : []),
    ...(lost === 0 ? [] : [`${String(lost)} writes were lost`]),
  ];
}
