/** One of two paths to the LUN is cut under the running VM, and comes back: the VM runs on, and nothing that was acknowledged is lost. */
import { sleep, until } from "@godwit/system";
import type { Site } from "../story/site.ts";
import type { StoryVm } from "../story/story-vm.ts";
import { pathsOf } from "./lun.ts";

/** Longer than the session's `replacement_timeout` and multipathd's looks together. */
const cutMs = 60_000;
const limitMs = 180_000;

export interface PathCutResult {
  /** Paths that worked while it was cut. */
  paths: string[];
  lost: number;
  acknowledged: number;
  /** The longest time between two acknowledged writes, ms. */
  writeGapMs: number;
  problems: string[];
}

export async function pathCut(site: Site, vm: StoryVm, say: (text: string) => void): Promise<PathCutResult> {
  say("cutting one of two paths to the LUN under the running VM");
  const before = await vm.view();
  const host = site.rack.server(before.host);
  const all = await pathsOf(host);
  const problems: string[] = [];
  if (all.length !== 2) problems.push(`before, the paths were ${all.join(" and ") || "none"}`);
  await using load = await vm.load();
  const began = Date.now();
  // Of the storage server's two networks the one that has no NFS.
  await site.server.setSending("migration", false);
  await sleep(cutMs);
  const paths = await pathsOf(host);
  await site.server.setSending("migration", true);
  const window: [number, number] = [began, Date.now()];
  if (paths.length !== 1) problems.push(`while one was cut, the paths were ${paths.join(" and ") || "none"}`);
  const back = await until(async () => (await pathsOf(host)).length === 2, { everyMs: 2000, limitMs });
  if (back === null) problems.push("the path did not come back");
  const qemus = (await vm.qemus()).map((one) => `${one.running ? "" : "stopped "}${one.host}`);
  if (qemus.join() !== before.host)
    problems.push(`its QEMUs are on ${qemus.join(" and ") || "no host"}, not ${before.host}`);
  const report = await load.finish([window]);
  const writeGapMs = Math.round(report.windows[0]?.writeGapMs ?? 0);
  say(
    `  it runs on, over ${paths.join(" and ")}; ${String(report.lost)} lost, longest gap ${String(writeGapMs)} ms`,
  );
  return {
    paths,
    lost: report.lost + report.duplicated,
    acknowledged: report.acknowledged,
    writeGapMs,
    problems,
  };
}
