/** The packages of another version, installed by docs/operators/upgrading.md while the VM runs under KVM and its client writes. */
import type { Server } from "../src/server.ts";
import type { UpgradeResult } from "./result.ts";
import type { Site } from "./site.ts";
import type { StoryVm } from "./story-vm.ts";

/** @param folder of the packages, on this machine */
export async function upgrade(
  site: Site,
  vm: StoryVm,
  folder: string,
  say: (text: string) => void,
): Promise<UpgradeResult> {
  const host = site.rack.server((await vm.view()).host);
  await using load = await vm.load();
  const beganAt = Date.now();
  const before = { version: await versionOn(host), qemu: await qemuOf(host) };
  say(`upgrading the packages of ${before.version}`);
  await site.upgrade(folder, say);
  const after = { version: await versionOn(host), qemu: await qemuOf(host) };
  const window: [number, number] = [beganAt, Date.now()];
  const problems: string[] = [];
  if (after.version === before.version) problems.push(`the packages are still of ${after.version}`);
  if (after.qemu !== before.qemu) problems.push("the VM's QEMU is another process");
  const running = (await vm.qemus()).filter((qemu) => qemu.running).map((qemu) => qemu.host);
  if (running.join() !== host.name) problems.push(`it runs on ${running.join(" and ") || "no host"}`);
  const { hosts } = await site.api.call("hostList", {});
  for (const { name, alarms } of hosts)
    if (alarms.some(({ code }) => code === "VERSIONS_DIFFER"))
      problems.push(`${name} has the alarm VERSIONS_DIFFER`);
  const report = await load.finish([window]);
  if (report.reconnects > 0) problems.push("the client's connection broke");
  for (const problem of problems) say(`  PROBLEM: ${problem}`);
  return {
    from: before.version,
    to: after.version,
    seconds: Math.round((window[1] - window[0]) / 100) / 10,
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
