/**
 * A limit of the VM's CPUs, as the host's kernel has it: QEMU runs under a lease in a unit of systemd there, as in no lab. And it
 * is lifted again.
 */
import { until } from "@godwit/system";
import type { Server } from "../src/server.ts";
import type { Site } from "./site.ts";
import type { StoryVm } from "./story-vm.ts";

/** Orders are sent every half minute. */
const limitMs = 180_000;

/** @returns what does not hold */
export async function cpuLimit(site: Site, vm: StoryVm, say: (text: string) => void): Promise<string[]> {
  const host = site.rack.server((await vm.view()).host);
  const { pools } = await site.api.call("poolList", {});
  const pool = pools.find(({ hosts }) => hosts.includes(host.name))?.name ?? "all";
  if (pool === "all" && !pools.some(({ name }) => name === pool)) {
    const hosts = site.hosts.map(({ name }) => `--host ${name}`).join(" ");
    await site.command(`godwit pool create ${pool} ${hosts}`);
  }
  const problems: string[] = [];
  await site.command(`godwit pool rule add ${pool} half --kind cpu --vm ${vm.name} --limit 0.5`);
  const limited = await becomes(host, 0.5);
  if (limited !== 0.5) problems.push(`limited to half a CPU it has ${String(limited)}`);
  await site.command(`godwit pool rule remove ${pool} half`);
  const free = await becomes(host, null);
  if (free !== null) problems.push(`without a limit it has ${String(free)}`);
  say(
    `its limit of 0.5 CPUs ${problems.length === 0 ? "was the kernel's, and is lifted" : problems.join("; ")}`,
  );
  return problems;
}

/** Waits for it. @returns what the kernel has at last, in CPUs; null: no limit */
async function becomes(host: Server, wanted: number | null): Promise<number | null> {
  let has: number | null = null;
  const isSo = async () => {
    has = await cpusOf(host);
    return has === wanted;
  };
  await until(isSo, { everyMs: 2000, limitMs });
  return has;
}

async function cpusOf(host: Server): Promise<number | null> {
  const text = await host.shell(
    "pid=$(pgrep -f 'qemu-system.*-uuid' | head -1); cat /sys/fs/cgroup$(sed -n 's/^0:://p' /proc/$pid/cgroup)/cpu.max || true",
  );
  const [quota = "max", period = "1"] = text.trim().split(" ");
  return quota === "max" || quota === "" ? null : Number(quota) / Number(period);
}
