/**
 * A host in trouble is fenced by its storage, and its VM runs elsewhere, by the pool, without waiting until its lease has run out. Who runs it is
 * asked of the hosts' process tables and of QEMU, and what is on its disk of a guest that was started from it.
 */
import { sleep, until } from "@godwit/system";
import type { Server } from "../src/server.ts";
import { switchOff } from "./fencing.ts";
import type { TakeoverResult } from "./result.ts";
import type { Site } from "./site.ts";
import type { StoryVm } from "./story-vm.ts";

const limitMs = 600_000;
const pool = "east";

export interface Trouble {
  name: string;
  begin: (host: Server) => Promise<void>;
  end: (host: Server) => Promise<void>;
  /** Whether the host can be looked at meanwhile. */
  answers: boolean;
}

/** By what storage keeps a host out. */
export interface Guard {
  /** How much of what the host has sent was refused, as its kernel or the storage counts. */
  refusals: (host: Server) => Promise<number>;
  /** Waits until every host has its access. @returns false: it did not come */
  isGivenBack: () => Promise<boolean>;
}

/** The hosts' pool starts VMs of a host that has died elsewhere. */
export async function restarting(site: Site): Promise<void> {
  const { pools } = await site.api.call("poolList", {});
  if (!pools.some(({ name }) => name === pool))
    await site.api.call("poolCreate", { body: { name: pool, hosts: site.hosts.map(({ name }) => name) } });
  await site.api.call("poolRestartSet", { params: { pool }, body: { enabled: true } });
}

/** Resolves when the host in trouble is well again, has its access, and the VM has been started from its disk. */
export async function takenOver(
  site: Site,
  vm: StoryVm,
  guard: Guard,
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
  const refusedBefore = await guard.refusals(host);
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
      // Of a host that boots nothing is known.
      const qemus = await vm.qemus().catch(() => null);
      if (qemus === null) return false;
      const running = qemus.filter((qemu) => qemu.running).map((qemu) => qemu.host);
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
  const refused = (await guard.refusals(host)) - refusedBefore;
  if (refused <= 0) problems.push("the storage refused nothing of the host");
  if (!(await guard.isGivenBack())) problems.push("the host has no access again");
  await site.connected();
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
  for (const problem of problems) say(`  PROBLEM: ${problem}`);
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

async function hasNoQemu(host: Server): Promise<boolean> {
  const { exitCode } = await host.try("pgrep", "-f", "qemu-system.*-uuid").catch(() => ({ exitCode: 0 }));
  return exitCode === 1;
}

const seconds = (since: number): number => Math.round((performance.now() - since) / 100) / 10;
