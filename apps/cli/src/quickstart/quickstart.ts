/** The quickstart: a lab, a VM, a load, a move there and back, and what was seen. */
import { writeFile } from "node:fs/promises";
import { GodwitError, moveOf, type MoveRecord } from "@godwit/contract";
import { Lab, Load, runnersOf, vmAddress, type Window } from "@godwit/lab";
import { formatMs } from "../output/format.ts";
import { nextSteps } from "../output/lab-view.ts";
import type { StatusLine } from "../output/screen.ts";
import { progressText } from "../output/task-view.ts";
import { program } from "../program.ts";
import { bootDemo, demoName, done } from "./demo.ts";
import { reportOf, type QuickstartReport } from "./report.ts";
import { aborted, sleep } from "@godwit/system";

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
    const report = await Promise.race([work, untilInterrupted(interrupted.signal)]);
    if (options.jsonFile !== undefined)
      await writeFile(options.jsonFile, `${JSON.stringify(report, null, 2)}\n`);
    kept = options.keep;
    return { report, hints: kept ? nextSteps(lab, demoName) : [] };
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
  await bootDemo(lab, say);
  await using load = await Load.start(lab.id, vmAddress(0));
  say("a client writes to its database");
  const moves: { record: MoveRecord; totalMs: number; window: Window }[] = [];
  for (const to of ["b", "a"]) {
    await sleep(quietMs);
    say(`moving ${demoName} to ${to}`);
    const from = Date.now();
    const startedAt = performance.now();
    const task = await done(lab, api.call("vmMigrate", { params: { vm: demoName }, body: { to } }), (now) => {
      status.update(progressText(now));
    });
    const totalMs = performance.now() - startedAt;
    const record = moveOf(task);
    if (record === null) throw new Error("a move without a record");
    moves.push({ record, totalMs, window: [from, Date.now() + 100] });
  }
  await sleep(quietMs);
  say("reading everything back");
  const report = await load.finish(moves.map(({ window }) => window));
  const { id } = await api.call("vmShow", { params: { vm: demoName } });
  return reportOf(hosts, moves, report, await runnersOf(lab, id));
}

async function untilInterrupted(signal: AbortSignal): Promise<never> {
  await aborted(signal);
  throw signal.reason;
}
