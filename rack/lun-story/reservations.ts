/**
 * Persistent reservations of the LUN: hosts register, a host that is cut off or stands still loses its key to another one, the LUN
 * refuses what it writes, and its VM runs elsewhere before its lease has run out. The LUN itself is asked, from the storage server's
 * hosts, by `sg_persist`.
 */
import { sleep, until } from "@godwit/system";
import type { Server } from "../src/server.ts";
import type { TakeoverResult } from "../story/result.ts";
import type { Site } from "../story/site.ts";
import type { StoryVm } from "../story/story-vm.ts";
import { restarting, takenOver, type Trouble } from "../story/takeover.ts";

const limitMs = 600_000;
interface Where {
  datastore: string;
  wwn: string;
}

export interface ReservationsResult {
  /** Until all hosts had registered and the LUN was reserved. */
  onAfterSeconds: number | null;
  targetRestart: { backAfterSeconds: number | null; lost: number; problems: string[] } | null;
  takeovers: TakeoverResult[];
  problems: string[];
}

/** Every host has registered, and the LUN is reserved, by what the hosts tell and by what the LUN tells. */
export async function inForce(site: Site, { datastore, wwn }: Where): Promise<boolean> {
  const done = await until(
    async () => {
      const { hosts } = await site.api.call("datastoreShow", { params: { datastore } });
      return hosts.every(
        ({ reservations }) =>
          reservations?.registered === true && reservations.reserved && reservations.reason === null,
      );
    },
    { everyMs: 1000, limitMs },
  );
  const [first] = site.hosts;
  if (done === null || first === undefined) return false;
  return (await keysOn(first, wwn)).length >= site.hosts.length;
}

/** As the LUN tells one host. */
async function keysOn(host: Server, wwn: string): Promise<string[]> {
  const text = await host.shell(`sg_persist -n -y -i -k ${await pathOf(host, wwn)}`);
  return [...text.matchAll(/^\s+(0x67[0-9a-f]{14})$/gm)].map(([, key = ""]) => key);
}

/** One path to it, and not its map. */
async function pathOf(host: Server, wwn: string): Promise<string> {
  const script = `for d in /sys/class/block/sd*; do [ "$(cat $d/device/wwid 2>/dev/null)" = naa.${wwn.replace("wwn-0x", "")} ] && basename $d; done`;
  const [name = ""] = (await host.shell(`${script}; true`)).trim().split("\n");
  if (name === "") throw new Error(`${host.name} has no path to the LUN`);
  return `/dev/${name}`;
}

/** Whether the LUN takes a write of this host: its first sector, which nothing is in, as it is. */
async function mayWrite(host: Server, wwn: string): Promise<boolean> {
  const path = await pathOf(host, wwn);
  const copy = `dd if=${path} of=/run/sector bs=4096 count=1 iflag=direct && dd if=/run/sector of=${path} bs=4096 count=1 oflag=direct conv=notrunc`;
  return (await host.try("bash", "-euc", copy)).exitCode === 0;
}

export async function reservations(
  site: Site,
  vm: StoryVm,
  where: Where,
  say: (text: string) => void,
): Promise<ReservationsResult> {
  const result: ReservationsResult = {
    onAfterSeconds: null,
    targetRestart: null,
    takeovers: [],
    problems: [],
  };
  say("turning persistent reservations on");
  const began = performance.now();
  await site.command(`godwit datastore set ${where.datastore} --reservations on`);
  if (await inForce(site, where)) result.onAfterSeconds = seconds(began);
  else result.problems.push("the LUN is not reserved for all hosts");
  for (const host of site.hosts)
    if (!(await mayWrite(host, where.wwn)))
      result.problems.push(`the LUN refuses host ${host.name}, which has registered`);
  say(`  in force after ${String(result.onAfterSeconds)} s`);
  await restarting(site);
  result.targetRestart = await targetRestarts(site, vm, where, say);
  const guard = { refusals, isGivenBack: () => inForce(site, where) };
  for (const trouble of troubles) {
    result.takeovers.push(await takenOver(site, vm, guard, trouble, say));
  }
  return result;
}

/** All that the target keeps in its kernel goes, and comes back from its configuration, under the running VM. */
async function targetRestarts(
  site: Site,
  vm: StoryVm,
  where: Where,
  say: (text: string) => void,
): Promise<NonNullable<ReservationsResult["targetRestart"]>> {
  say("restarting the target under the running VM");
  const problems: string[] = [];
  await using load = await vm.load();
  const { host } = await vm.view();
  await site.server.shell("targetcli saveconfig >/dev/null && targetctl clear && targetctl restore");
  const began = performance.now();
  await sleep(5000);
  const backAfterSeconds = (await inForce(site, where)) ? seconds(began) : null;
  if (backAfterSeconds === null) problems.push("the hosts' keys did not come back");
  const running = (await vm.qemus()).filter((qemu) => qemu.running).map((qemu) => qemu.host);
  if (running.join() !== host)
    problems.push(`the VM runs on ${running.join(" and ") || "no host"}, not ${host}`);
  const { lost } = await load.finish([]);
  if (lost !== 0) problems.push(`${String(lost)} writes were lost`);
  say(`  keys are back after ${String(backAfterSeconds)} s; ${String(lost)} lost`);
  for (const problem of problems) say(`  PROBLEM: ${problem}`);
  return { backAfterSeconds, lost, problems };
}

const troubles: readonly Trouble[] = [
  {
    // Its VM's folder lies there, and the server is there; it still reaches the LUN.
    name: "cut off, with the LUN",
    answers: true,
    begin: async (host) => {
      await host.setSending("management", false);
    },
    end: async (host) => {
      await host.setSending("management", true);
    },
  },
  {
    // Its clocks stand still with it: when it goes on, it knows of nothing.
    name: "frozen",
    answers: false,
    begin: async (host) => {
      await host.setFrozen(true);
    },
    end: async (host) => {
      await host.setFrozen(false);
    },
  },
];

/** Since its boot, as its kernel tells. */
async function refusals(host: Server): Promise<number> {
  return Number(await host.shell("dmesg | grep -c 'reservation conflict' || true"));
}

const seconds = (since: number): number => Math.round((performance.now() - since) / 100) / 10;
