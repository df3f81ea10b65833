/** Hosts that want the same at once: LVM's metadata, and a VM. */
import { isEnded, type Task } from "@godwit/contract";
import { until } from "@godwit/system";
import type { Site } from "../story/site.ts";
import type { StoryVm } from "../story/story-vm.ts";
import { activeOn, metadataOn } from "./volumes.ts";

const limitMs = 600_000;
const vmsOfEach = 2;

/** VMs are made on all hosts at once, and deleted: no host's change is lost, and no extent is two volumes'. @returns what does not hold */
export async function makersRace(
  site: Site,
  datastore: string,
  wwn: string,
  say: (text: string) => void,
): Promise<string[]> {
  say("making VMs with volumes on all hosts at once");
  const problems: string[] = [];
  const [first] = site.hosts;
  if (first === undefined) throw new TypeError("a rack has hosts");
  const wanted = site.hosts.flatMap(({ name: host }) =>
    Array.from({ length: vmsOfEach }, (_, index) => ({ host, name: `race-${host}-${String(index)}` })),
  );
  const before = (await site.api.call("vmList", { query: {} })).vms;
  await deleteAll(
    site,
    before.filter(({ name }) => name.startsWith("race-")),
  );
  const made = wanted.map(async ({ host, name }) => {
    const disks = [{ name: "data", datastore, format: "raw" as const, sizeMib: 32 }];
    const description = { name, datastore: "shared", memoryMib: 64, disks };
    const { id } = await site.whenReady(() => site.api.call("vmCreate", { body: { description, host } }));
    return await ended(site, id);
  });
  for (const task of await Promise.all(made))
    if (task.state !== "succeeded") problems.push(`a VM was not made: ${task.error?.detail ?? task.state}`);
  const { vms } = await site.api.call("vmList", { query: {} });
  const raced = vms.filter(({ name }) => name.startsWith("race-"));
  const { volumes, shared } = await metadataOn(first, wwn);
  const lost = raced.filter(({ id }) => !volumes.some((name) => name.includes(id.replaceAll("-", ""))));
  if (raced.length !== wanted.length)
    problems.push(`${String(raced.length)} VMs of ${String(wanted.length)} were made`);
  if (lost.length > 0) problems.push(`volumes of ${lost.map(({ name }) => name).join(", ")} are lost`);
  if (shared.length > 0) problems.push(`two volumes have extents ${shared.slice(0, 5).join(", ")}`);
  for (const { id, name } of raced) {
    const active = await activeOn(site.hosts, id);
    if (active.length > 0)
      problems.push(`the volume of ${name}, which does not run, is active on ${active.join()}`);
  }
  for (const task of await deleteAll(site, raced))
    if (task.state !== "succeeded")
      problems.push(`a VM was not deleted: ${task.error?.detail ?? task.state}`);
  const left = (await metadataOn(first, wwn)).volumes.filter((name) =>
    raced.some(({ id }) => name.includes(id.replaceAll("-", ""))),
  );
  if (left.length > 0) problems.push(`volumes of deleted VMs are left: ${left.join(", ")}`);
  say(
    `  ${String(raced.length)} made, ${String(volumes.length)} volumes, ${String(shared.length)} extents of two; ${String(left.length)} left`,
  );
  return problems;
}

export async function deleteAll(site: Site, vms: readonly { name: string }[]): Promise<Task[]> {
  const deleted = vms.map(async ({ name }) => {
    const { id } = await site.whenReady(() => site.api.call("vmDelete", { params: { vm: name }, query: {} }));
    return await ended(site, id);
  });
  return await Promise.all(deleted);
}

/** Two start commands at once, each on another host: one QEMU. @returns what does not hold */
export async function startsRace(site: Site, vm: StoryVm, say: (text: string) => void): Promise<string[]> {
  say("starting the VM on two hosts at once");
  const params = { vm: vm.name };
  const stopped = await site.whenReady(() =>
    site.api.call("vmStop", { params, body: { graceSeconds: 300 } }),
  );
  await vm.ended(stopped.id);
  const { id } = await vm.view();
  const before = await activeOn(site.hosts, id);
  const starts = site.hosts.map(async ({ name: host }) => {
    try {
      return await vm.ended((await site.api.call("vmStart", { params, body: { host } })).id);
    } catch {
      return null; // refused
    }
  });
  const won = (await Promise.all(starts)).filter((task) => task?.state === "succeeded");
  const running = (await vm.qemus()).map(({ host }) => host);
  await using load = await vm.load();
  const { lost } = await load.finish([]);
  say(`  ${String(won.length)} won; it runs on ${running.join(" and ") || "no host"}`);
  return [
    ...(before.length === 0 ? [] : [`the volume of the stopped VM is active on ${before.join()}`]),
    ...(running.length === 1 ? [] : [`it runs on ${running.join(" and ") || "no host"}`]),
    ...(lost === 0 ? [] : [`${String(lost)} writes were lost over the power-off`]),
  ];
}

export async function ended(site: Site, task: Task["id"]): Promise<Task> {
  const found = await until(
    async () => {
      const now = await site.api.call("taskShow", { params: { task } }).catch(() => null);
      return now !== null && isEnded(now) ? now : null;
    },
    { everyMs: 1000, limitMs },
  );
  if (found === null) throw new Error(`task ${task} did not end`);
  return found;
}
