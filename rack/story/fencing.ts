/**
 * What `docs/operators/leases.md` promises of a host in trouble, on real servers: sanlock with a watchdog on storage that the
 * host's kernel has mounted. The VM's end on the one host and its start on the other are measured from the moment of harm.
 */
import { sleep, until } from "@godwit/system";
import type { Server } from "../src/server.ts";
import type { FencingResult } from "./result.ts";
import type { Site } from "./site.ts";
import type { StoryVm } from "./story-vm.ts";

const limitMs = 600_000;

interface Trouble {
  name: string;
  /** Whether nothing on the host is left that could end its VM: then its watchdog resets it. */
  resets: boolean;
  /** Whether the VM has ended when its host sends nothing any more: nobody can be asked there. */
  isSilent?: true;
  begin: (host: Server) => Promise<void>;
  end: (host: Server) => Promise<void>;
}

const troubles: readonly Trouble[] = [
  {
    name: "storage-cut",
    // Only if something that the VM wrote is still on its way.
    resets: false,
    begin: async (host) => {
      await host.setSending("management", false);
    },
    end: async (host) => {
      await host.setSending("management", true);
    },
  },
  {
    name: "sanlock-and-agent-hang",
    resets: true,
    begin: async (host) => {
      await host.shell("kill -STOP $(systemctl show -P MainPID godwit-agent) $(pidof sanlock)");
    },
    // The reset has ended it.
    end: async () => undefined,
  },
  {
    name: "kernel-hangs",
    // softdog goes down with the kernel whose timers it lives by: after a panic nothing runs there, and nothing resets it.
    resets: false,
    isSilent: true,
    begin: async (host) => {
      await host.shell("sysctl -qw kernel.panic=0; (sleep 1; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &");
    },
    end: async (host) => {
      await host.reset();
    },
  },
];

export async function* fencing(
  site: Site,
  vm: StoryVm,
  say: (text: string) => void,
  only = troubles.map(({ name }) => name),
): AsyncGenerator<FencingResult> {
  for (const trouble of troubles.filter(({ name }) => only.includes(name))) {
    say(`${trouble.name} under the running VM`);
    const result = await fenceOnce(site, vm, trouble);
    say(
      `  ended after ${String(result.endedAfterSeconds)} s, reset after ${String(result.resetAfterSeconds)} s, started elsewhere after ${String(result.startedAfterSeconds)} s`,
    );
    for (const problem of result.problems) say(`  PROBLEM: ${problem}`);
    yield result;
  }
}

async function fenceOnce(site: Site, vm: StoryVm, trouble: Trouble): Promise<FencingResult> {
  const { host: name } = await vm.view();
  const host = site.rack.server(name);
  const other = site.hosts.find((one) => one !== host);
  if (other === undefined) throw new TypeError("a rack has two hosts");
  await using load = await vm.load();
  const over = new AbortController();
  const reset = host.nextReset(over.signal);
  await trouble.begin(host);
  const began = performance.now();
  const after = (): number => Math.round((performance.now() - began) / 100) / 10;
  const wasReset = reset.then((is) => (is ? after() : null));
  const wasEnded = ended(host, trouble, wasReset, over.signal).then((is) => (is ? after() : null));
  const problems: string[] = [];
  const startedAfterSeconds = await startedElsewhere(site, vm, other, after);
  load.reconnect();
  // Whatever has not happened by now comes too late.
  over.abort();
  const [resetAfterSeconds, endedAfterSeconds] = [await wasReset, await wasEnded];
  if (startedAfterSeconds === null) problems.push("it was not started elsewhere");
  if (endedAfterSeconds === null && resetAfterSeconds === null)
    problems.push("it was started while it ran on its host");
  if (trouble.resets && resetAfterSeconds === null) problems.push("the watchdog did not reset the host");
  await trouble.end(host);
  await host.booted();
  await site.connected();
  // What is on the disk now, and not in the guest's memory: a late write of the host in trouble would show.
  await switchOff(site, vm);
  if ((await startedElsewhere(site, vm, other, after)) === null)
    problems.push("it does not start from its disk");
  load.reconnect();
  const running = (await vm.qemus()).filter((qemu) => qemu.running).map((qemu) => qemu.host);
  if (running.join() !== other.name) problems.push(`it runs on ${running.join(" and ") || "no host"}`);
  const report = await load.finish([]);
  return {
    fault: trouble.name,
    endedAfterSeconds,
    resetAfterSeconds,
    startedAfterSeconds,
    lost: report.lost,
    problems,
  };
}

/** By its power button, so that nothing is left in its memory. @throws Error */
export async function switchOff(site: Site, vm: StoryVm): Promise<void> {
  const body = { graceSeconds: 300 };
  const stop = () => site.api.call("vmStop", { params: { vm: vm.name }, body });
  const task = await vm.ended((await site.whenReady(stop)).id);
  if (task.state !== "succeeded")
    throw new Error(`the VM cannot be stopped: ${task.error?.detail ?? task.state}`);
}

/** @returns whether its QEMU was seen to be gone, or went with its host */
async function ended(
  host: Server,
  { isSilent }: Trouble,
  reset: Promise<number | null>,
  over: AbortSignal,
): Promise<boolean> {
  const isOver = async () => (isSilent === true ? await sendsNothing(host) : await hasNoQemu(host));
  const gone = until(isOver, { everyMs: 500, limitMs, signal: over });
  return (await Promise.race([gone, reset.then((at) => (at === null ? gone : true))])) === true;
}

/** Leases are renewed, and reports sent, more often than that. */
const silentMs = 30_000;

async function sendsNothing(host: Server): Promise<boolean> {
  const before = await host.sentPackets();
  await sleep(silentMs);
  return (await host.sentPackets()) === before;
}

async function hasNoQemu(host: Server): Promise<boolean> {
  const { exitCode } = await host.try("pgrep", "-f", "qemu-system.*-uuid").catch(() => ({ exitCode: 0 }));
  return exitCode === 1;
}

/** As an operator would: again and again, until the lease lets it. @returns when; null: never */
async function startedElsewhere(
  site: Site,
  vm: StoryVm,
  on: Server,
  after: () => number,
): Promise<number | null> {
  const started = await until(
    async () => {
      try {
        const { id } = await site.api.call("vmStart", { params: { vm: vm.name }, body: { host: on.name } });
        const task = await vm.ended(id);
        return task.state === "succeeded" ? after() : null;
      } catch {
        return null;
      }
    },
    { everyMs: 2000, limitMs },
  );
  return started;
}
