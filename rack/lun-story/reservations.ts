/**
 * Persistent reservations of the LUN: hosts register, a host that is cut off or stands still loses its key to another one, the LUN
 * refuses what it writes, and its VM runs elsewhere before its lease has run out. The LUN itself is asked, from the storage server's
 * hosts, by `sg_persist`.
 */
import { sleep, until } from "@godwit/system";
import type { Server } from "../src/server.ts";
import { switchOff } from "../story/fencing.ts";
import type { Site } from "../story/site.ts";
import type { StoryVm } from "../story/story-vm.ts";

const limitMs = 600_000;
const pool = "east";

interface Where {
  datastore: string;
  wwn: string;
}

export interface TakeoverResult {
  fault: string;
  /** From the harm on: when the VM's QEMU was seen to be gone from its host; null: nobody could be asked there, or it was not. */
  endedAfterSeconds: number | null;
  /** From the harm on: when the VM ran on the other host. */
  startedAfterSeconds: number | null;
  /** Writes of the host in trouble that the LUN refused, as its kernel tells. */
  refused: number;
  /** The most hosts with a QEMU of it whose vCPUs ran, of all looks after it was over. */
  runners: number;
  lost: number;
  acknowledged: number;
  problems: string[];
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
  const { pools } = await site.api.call("poolList", {});
  if (!pools.some(({ name }) => name === pool))
    await site.api.call("poolCreate", { body: { name: pool, hosts: site.hosts.map(({ name }) => name) } });
  await site.api.call("poolRestartSet", { params: { pool }, body: { enabled: true } });
  result.targetRestart = await targetRestarts(site, vm, where, say);
  for (const trouble of troubles) {
    const takeover = await takenOver(site, vm, where, trouble, say);
    result.takeovers.push(takeover);
    for (const problem of takeover.problems) say(`  PROBLEM: ${problem}`);
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

interface Trouble {
  name: string;
  begin: (host: Server) => Promise<void>;
  end: (host: Server) => Promise<void>;
  /** Whether the host can be looked at meanwhile. */
  answers: boolean;
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

async function takenOver(
  site: Site,
  vm: StoryVm,
  where: Where,
  trouble: Trouble,
  say: (text: string) => void,
): Promise<TakeoverResult> {
  say(`${trouble.name}: the host of the running VM`);
  const { host: name } = await vm.view();
  const host = site.rack.server(name);
  const other = site.hosts.find((one) => one !== host);
  if (other === undefined) throw new TypeError("a rack has two hosts");
  const problems: string[] = [];
  await using load = await vm.load();
  const refusedBefore = await refusals(host);
  // So that there is something to lose.
  await sleep(15_000);
  const over = new AbortController();
  await trouble.begin(host);
  const began = performance.now();
  const ended = trouble.answers
    ? until(() => hasNoQemu(host), { everyMs: 500, limitMs, signal: over.signal }).then((is) =>
        is === true ? seconds(began) : null,
      )
    : Promise.resolve(null);
  const startedAfterSeconds = (await runsOn(site, vm, other)) ? seconds(began) : null;
  load.reconnect();
  if (startedAfterSeconds === null) problems.push("it was not started elsewhere");
  await trouble.end(host);
  let runners = 0;
  const gone = await until(
    async () => {
      const running = (await vm.qemus()).filter((qemu) => qemu.running).map((qemu) => qemu.host);
      runners = Math.max(runners, running.length);
      return running.join() === other.name && (await hasNoQemu(host));
    },
    { everyMs: 1000, limitMs },
  );
  if (gone === null) problems.push("its old QEMU is still there");
  over.abort();
  const endedAfterSeconds = await ended;
  if (trouble.answers && (endedAfterSeconds ?? Infinity) > (startedAfterSeconds ?? 0))
    problems.push("it was started while it ran on its host");
  await host.booted();
  const refused = (await refusals(host)) - refusedBefore;
  if (refused <= 0) problems.push("the LUN refused none of its writes");
  await site.connected();
  if (!(await inForce(site, where))) problems.push("the host did not register again");
  // What is on the disk now, and not in the guest's memory.
  await site.api.call("poolRestartSet", { params: { pool }, body: { enabled: false } });
  await switchOff(site, vm);
  const start = await site.whenReady(() =>
    site.api.call("vmStart", { params: { vm: vm.name }, body: { host: other.name } }),
  );
  await vm.ended(start.id);
  load.reconnect();
  const { lost, acknowledged } = await load.finish([]);
  if (lost !== 0) problems.push(`${String(lost)} writes were lost`);
  if (acknowledged === 0) problems.push("no write was acknowledged, so that none could be lost");
  await site.api.call("poolRestartSet", { params: { pool }, body: { enabled: true } });
  say(
    `  ended after ${String(endedAfterSeconds)} s, runs on ${other.name} after ${String(startedAfterSeconds)} s; ${String(refused)} of its writes were refused; ${String(runners)} runners at most afterwards, ${String(lost)} of ${String(acknowledged)} lost`,
  );
  return {
    ...{ fault: trouble.name, endedAfterSeconds, startedAfterSeconds, refused, runners },
    ...{ lost, acknowledged, problems },
  };
}

/** By the pool, of itself. */
async function runsOn(site: Site, vm: StoryVm, host: Server): Promise<boolean> {
  const runs = await until(
    async () => {
      const view = await vm.view().catch(() => null);
      return view?.host === host.name && view.state === "running";
    },
    { everyMs: 500, limitMs },
  );
  if (runs === null) process.stderr.write(await site.journals());
  return runs === true;
}

/** Since its boot. */
async function refusals(host: Server): Promise<number> {
  return Number(await host.shell("dmesg | grep -c 'reservation conflict' || true"));
}

async function hasNoQemu(host: Server): Promise<boolean> {
  const { exitCode } = await host.try("pgrep", "-f", "qemu-system.*-uuid").catch(() => ({ exitCode: 0 }));
  return exitCode === 1;
}

const seconds = (since: number): number => Math.round((performance.now() - since) / 100) / 10;
