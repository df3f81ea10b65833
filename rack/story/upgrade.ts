/**
 * The packages of another version, installed by docs/operators/upgrading.md while the VM runs under KVM and its client writes. Between
 * the steps, while versions differ, it moves; the last host goes back to the version before, and forward again.
 */
import { packagesFolder } from "../src/root.ts";
import type { Server } from "../src/server.ts";
import { moveTo } from "./moves.ts";
import type { MoveResult, UpgradeResult } from "./result.ts";
import type { Site } from "./site.ts";
import type { StoryVm } from "./story-vm.ts";

/** @param folder of the packages, on this machine */
export async function upgrade(
  site: Site,
  vm: StoryVm,
  folder: string,
  say: (text: string) => void,
): Promise<UpgradeResult> {
  const [first] = site.hosts;
  const last = site.hosts.at(-1);
  if (first === undefined || last === undefined) throw new TypeError("a rack has hosts");
  const beganAt = Date.now();
  const from = await versionOn(first);
  const problems: string[] = [];
  const moves: MoveResult[] = [];
  const parts: Replaced[] = [];
  const steps: { server: Server; way: "forward" | "back" }[] = [
    ...[site.server, ...site.hosts].map((server) => ({ server, way: "forward" as const })),
    { server: last, way: "back" },
    { server: last, way: "forward" },
  ];
  for (const { server, way } of steps) {
    say(`installing other packages on ${server.name} (${way})`);
    const replace = () =>
      way === "forward" ? site.upgrade(server, folder) : site.goBack(server, packagesFolder);
    const part = await underLoad(site, vm, replace);
    parts.push(part);
    for (const problem of part.problems) {
      say(`  PROBLEM: ${problem}`);
      problems.push(`${server.name} (${way}): ${problem}`);
    }
    const { host } = await vm.view();
    const to = site.hosts.find(({ name }) => name !== host)?.name ?? "";
    moves.push(await moveTo(site, vm, to, say));
  }
  const to = await versionOn(first);
  if (to === from) problems.push(`the packages are still of ${to}`);
  const { hosts } = await site.api.call("hostList", {});
  for (const { name, alarms } of hosts)
    if (alarms.some(({ code }) => code === "VERSIONS_DIFFER"))
      problems.push(`${name} has the alarm VERSIONS_DIFFER`);
  const sum = (figure: "lost" | "acknowledged"): number => parts.reduce((all, part) => all + part[figure], 0);
  return {
    ...{ from, to, moves, problems },
    seconds: Math.round((Date.now() - beganAt) / 100) / 10,
    lost: sum("lost"),
    acknowledged: sum("acknowledged"),
    writeGapMs: Math.max(...parts.map(({ writeGapMs }) => writeGapMs)),
  };
}

type Replaced = Pick<UpgradeResult, "lost" | "acknowledged" | "writeGapMs" | "problems">;

/** What became of the VM and its client while packages were replaced. */
async function underLoad(site: Site, vm: StoryVm, replace: () => Promise<void>): Promise<Replaced> {
  const host = site.rack.server((await vm.view()).host);
  await using load = await vm.load();
  const beganAt = Date.now();
  const before = await qemuOf(host);
  await replace();
  const problems: string[] = [];
  if ((await qemuOf(host)) !== before) problems.push("the VM's QEMU is another process");
  const running = (await vm.qemus()).filter((qemu) => qemu.running).map((qemu) => qemu.host);
  if (running.join() !== host.name) problems.push(`it runs on ${running.join(" and ") || "no host"}`);
  const report = await load.finish([[beganAt, Date.now()]]);
  if (report.reconnects > 0) problems.push("the client's connection broke");
  return {
    lost: report.lost + report.duplicated,
    acknowledged: report.acknowledged,
    writeGapMs: Math.round(report.windows[0]?.writeGapMs ?? 0),
    problems,
  };
}

const versionOn = async (host: Server): Promise<string> =>
  await host.run("dpkg-query", "--show", "--showformat", "${Version}", "godwit-agent");

/** The process and when it began, in ticks since the boot: `ps` counts the time of day back from the clock, which is set meanwhile. */
const qemuOf = async (host: Server): Promise<string> =>
  await host.shell(
    "pid=$(pgrep -f 'qemu-system.*-uuid' | head -1); sed 's/.*) //' /proc/$pid/stat | awk -v pid=$pid '{ print pid, $20 }'",
  );
