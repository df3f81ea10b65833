/** The quickstart: a lab, a VM, a load, a move there and back, and what was seen. */
import { writeFile } from "node:fs/promises";
import { GodwitError, type MoveRecord, type Task } from "@godwit/contract";
import { buildGuest, Lab, Load, placeGuest, runnersOf, vmAddress, type Window } from "@godwit/lab";
import { howToGoOn } from "../commands/lab.ts";
import { followTask } from "../follow-task.ts";
import { formatMs } from "../output/format.ts";
import type { StatusLine } from "../output/screen.ts";
import { progressText } from "../output/task-view.ts";
import { program } from "../program.ts";
import { reportOf, type QuickstartReport } from "./report.ts";

const vmName = "demo";
const memoryMib = 512;
/** The load runs alone for a moment before, between and after the moves. */
const quietMs = 500;

export interface QuickstartOptions {
  id: string;
  keep: boolean;
  jsonFile?: string;
}

/** @throws what any of its steps refuses with; the lab is removed then, also after Ctrl-C */
export async function quickstart(
  options: QuickstartOptions,
  status: StatusLine,
): Promise<{ report: QuickstartReport; hints: string[] }> {
  const interrupted = new AbortController();
  const interrupt = () => {
    interrupted.abort(
      GodwitError.of("USAGE", { what: "Interrupted; the lab is removed.", hint: "Run it again." }),
    );
  };
  // Once would not do: execa ends the program at the next signal that nobody listens for.
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  const beganAt = performance.now();
  const say = (text: string) => {
    status.line(`${formatMs(performance.now() - beganAt).padStart(8)}  ${text}`);
  };
  const lab = await Lab.up({ id: options.id, hosts: ["a", "b"], program, onStep: say });
  let kept = false;
  try {
    const work = story(lab, say, status);
    work.catch(() => undefined);
    const report = await Promise.race([work, aborted(interrupted.signal)]);
    if (options.jsonFile !== undefined)
      await writeFile(options.jsonFile, `${JSON.stringify(report, null, 2)}\n`);
    kept = options.keep;
    return { report, hints: kept ? howToGoOn(lab, vmName) : [] };
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
    if (kept) await lab.api.close();
    else await lab.down();
  }
}

async function story(lab: Lab, say: (text: string) => void, status: StatusLine): Promise<QuickstartReport> {
  const { api } = lab;
  const { hosts } = await api.call("hostList", {});
  const reason = hosts[0]?.facts?.qemu.acceleratorReason;
  if (reason !== undefined) say(reason);
  const image = await buildGuest(say);
  const description = await placeGuest(lab.sharedFolder, image, { name: vmName, index: 0, memoryMib });
  say(`booting VM ${vmName} (${String(memoryMib)} MiB, redis) on a`);
  await done(lab, api.call("vmCreate", { body: { description, host: "a" } }));
  await done(lab, api.call("vmStart", { params: { vm: vmName }, body: {} }));
  await using load = await Load.start(lab.id, vmAddress(0));
  say("a client writes to its database");
  const moves: { record: MoveRecord; totalMs: number; window: Window }[] = [];
  for (const to of ["b", "a"]) {
    await new Promise((resolve) => setTimeout(resolve, quietMs));
    say(`moving ${vmName} to ${to}`);
    const from = Date.now();
    const startedAt = performance.now();
    const task = await done(lab, api.call("vmMigrate", { params: { vm: vmName }, body: { to } }), (now) => {
      status.update(progressText(now));
    });
    const totalMs = performance.now() - startedAt;
    if (task.move === null) throw new Error("a move without a record");
    moves.push({ record: task.move, totalMs, window: [from, Date.now() + 100] });
  }
  await new Promise((resolve) => setTimeout(resolve, quietMs));
  say("reading everything back");
  const report = await load.finish(moves.map(({ window }) => window));
  const { id } = await api.call("vmShow", { params: { vm: vmName } });
  return reportOf(hosts, moves, report, await runnersOf(lab, id));
}

/** A task to its good end. @throws what it failed with */
async function done(
  lab: Lab,
  begun: Promise<Task>,
  changed: (task: Task) => void = () => undefined,
): Promise<Task> {
  const ended = await followTask(lab.api, (await begun).id, changed);
  if (ended.error !== null) throw GodwitError.fromProblem(ended.error);
  return ended;
}

async function aborted(signal: AbortSignal): Promise<never> {
  await new Promise((resolve) => {
    signal.addEventListener("abort", resolve, { once: true });
    if (signal.aborted) resolve(undefined); // while the lab was being made
  });
  throw signal.reason;
}
