/** Copies of VMs from and to the LUN: each has what the first one had, the first one is whole, and no volume is left. */
import type { Site } from "../story/site.ts";
import { checksums, makeFilesVm } from "./files-vm.ts";
import { deleteAll } from "./races.ts";
import { metadataOn } from "./volumes.ts";

const fromName = "clone-from";
const sizeMib = 64;

/** @returns what does not hold */
export async function clonesOnLun(
  site: Site,
  { datastore, wwn }: { datastore: string; wwn: string },
  say: (text: string) => void,
): Promise<string[]> {
  say("copying a VM from files onto the LUN, on the LUN, and back to files");
  const [host] = site.hosts;
  if (host === undefined) throw new TypeError("a rack has hosts");
  const names = [fromName, "clone-onto", "clone-on", "clone-back"] as const;
  const isOwn = ({ name }: { name: string }) => names.some((one) => one === name);
  await deleteAll(site, (await site.api.call("vmList", { query: {} })).vms.filter(isOwn));
  const before = (await metadataOn(host, wwn)).volumes.length;
  const { path } = await makeFilesVm(site, host, { name: fromName, sizeMib });
  const [, onto, on, back] = names;
  await site.command(`godwit vm clone ${fromName} ${onto} --datastore ${datastore}`);
  await site.command(`godwit vm clone ${onto} ${on}`);
  await site.command(`godwit vm clone ${on} ${back} --datastore shared`);
  const made = (await metadataOn(host, wwn)).volumes.length - before;
  const isSame = new Set(await checksums(site, [path, `${back}/data.raw`])).size === 1;
  await deleteAll(
    site,
    names.map((name) => ({ name })),
  );
  const { volumes, shared: twice } = await metadataOn(host, wwn);
  const left = volumes.length - before;
  say(
    `  ${String(made)} volumes made, ${String(left)} left; the last copy is ${isSame ? "the same as the first VM's disk" : "another"}`,
  );
  return [
    ...(made === 2 ? [] : [`${String(made)} volumes were made by two copies onto the LUN`]),
    ...(left === 0 ? [] : [`${String(left)} volumes of deleted copies are left`]),
    ...(isSame ? [] : ["the copy of a copy of a copy is not the same as the first"]),
    ...(twice.length === 0 ? [] : [`two volumes have extents ${twice.slice(0, 5).join(", ")}`]),
  ];
}
