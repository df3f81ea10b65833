/** Disks on the LUN that change: one grows under the running VM, over blocks that were another's; one comes at rest, and goes while the VM runs. */
import type { Site } from "../story/site.ts";
import type { StoryVm } from "../story/story-vm.ts";
import { extentsOn, leaveDirty, metadataOn, notZeroIn } from "./volumes.ts";

const mib = 1048576;
const extentMib = 4;
const growthMib = 64;

/** @returns what does not hold */
export async function volumeChanges(
  site: Site,
  vm: StoryVm,
  { datastore, wwn }: { datastore: string; wwn: string },
  say: (text: string) => void,
): Promise<string[]> {
  return [...(await growth(site, vm, wwn, say)), ...(await cameAndWent(site, vm, { datastore, wwn }, say))];
}

async function growth(site: Site, vm: StoryVm, wwn: string, say: (text: string) => void): Promise<string[]> {
  say("growing the disk under the running VM, over blocks that a removed volume has left");
  const { id, host: name } = await vm.view();
  const host = site.rack.server(name);
  const volume = `vol.${id.replaceAll("-", "")}.data`;
  const dirty = await leaveDirty(host, wwn, growthMib);
  const before = (await extentsOn(host, wwn)).get(volume)?.length ?? 0;
  const wanted = before * extentMib + growthMib;
  await using load = await vm.load();
  await site.command(`godwit vm disk resize ${vm.name} data --size ${String(wanted)}MiB`);
  const { lost, acknowledged } = await load.finish([]);
  const after = (await extentsOn(host, wwn)).get(volume) ?? [];
  const reused = after.slice(before).filter((extent) => dirty.has(extent)).length;
  const notZero = await notZeroIn(host, volume, growthMib * mib);
  const { disks } = await site.api.call("vmDiskList", { params: { vm: vm.name } });
  const seen = disks.find((disk) => disk.name === "data")?.sizeBytes ?? 0;
  say(
    `  ${String(after.length - before)} extents more, ${String(reused)} of them were another's; ${String(notZero)} bytes of it are not zero; QEMU has ${String(seen / mib)} MiB; ${String(acknowledged)} writes meanwhile, ${String(lost)} lost`,
  );
  return [
    ...(after.length * extentMib === wanted ? [] : [`the volume has ${String(after.length)} extents`]),
    ...(reused > 0 ? [] : ["no extent of the growth was one that had been written: nothing is proven"]),
    ...(notZero === 0 ? [] : [`${String(notZero)} bytes of what is new are another disk's`]),
    ...(seen === wanted * mib ? [] : [`QEMU has ${String(seen)} bytes of ${String(wanted * mib)}`]),
    ...(lost === 0 ? [] : [`${String(lost)} writes were lost while it grew`]),
  ];
}

async function cameAndWent(
  site: Site,
  vm: StoryVm,
  { datastore, wwn }: { datastore: string; wwn: string },
  say: (text: string) => void,
): Promise<string[]> {
  say("adding a volume at rest, and removing it while the VM runs");
  const host = site.rack.server((await vm.view()).host);
  const has = async () =>
    (await metadataOn(host, wwn)).volumes.filter((name) => name.endsWith(".more")).length;
  const add = `godwit vm disk add ${vm.name} --name more --size 32MiB --format raw --datastore ${datastore}`;
  await site.command(`godwit vm stop ${vm.name}`);
  await site.command(add);
  const added = await has();
  await site.command(`godwit vm start ${vm.name}`);
  const { disks } = await site.api.call("vmDiskList", { params: { vm: vm.name } });
  const seen = disks.find(({ name }) => name === "more")?.sizeBytes ?? 0;
  await using load = await vm.load();
  await site.command(`godwit vm disk remove ${vm.name} more`);
  // A file's turn: what QEMU sees of the host changes under it.
  await site.command(`godwit vm disk add ${vm.name} --name file --size 16MiB`);
  await site.command(`godwit vm disk remove ${vm.name} file`);
  const { lost } = await load.finish([]);
  const left = await has();
  say(
    `  ${String(added)} volume made, of which QEMU had ${String(seen / mib)} MiB; ${String(left)} left; ${String(lost)} writes lost`,
  );
  return [
    ...(added === 1 ? [] : [`${String(added)} volumes were made`]),
    ...(seen === 32 * mib ? [] : [`QEMU has ${String(seen)} bytes of the new disk`]),
    ...(left === 0 ? [] : ["the removed disk's volume is left"]),
    ...(lost === 0 ? [] : [`${String(lost)} writes were lost`]),
  ];
}
