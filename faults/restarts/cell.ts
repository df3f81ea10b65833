/**
 * One cell: the host of a VM that its client writes to loses its power, the pool starts the VM again elsewhere, and a fault comes into one
 * moment of that. Judged from outside: the VM runs again, on one host ever, every acknowledged write is there, and all that Godwit says is so.
 */
import { isEnded, type Task, type VmView } from "@godwit/contract";
import { Load, RunWatch, vmAddress } from "@godwit/lab";
import { sleep, until, within } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import type { Moment, RestartCell } from "./cells.ts";

export interface RestartResult {
  moment: Moment;
  fault: string;
  /** Where it runs in the end; null: nowhere. */
  host: string | null;
  /** The most hosts that ran the VM at any moment, by QEMU's own stamps. */
  runners: number;
  lost: number;
  duplicated: number;
  acknowledged: number;
  /** From the host's death until all was well, ms. */
  recoveryMs: number;
  /** Why the cell failed; empty: it did not. */
  problems: string[];
}

/** A lease is free 76 s after its host's last sign; a second death takes as long again. */
const recoveryLimitMs = 420_000;
/** In which the client has something acknowledged that can be lost. */
const writesMs = 5000;
const momentLimitMs = 240_000;
/** Processes, files and QEMU tell nobody that they are well. */
const lookEveryMs = 400;
const readBackLimitMs = 180_000;
const shortly = { timeoutMs: 3000 };

/** @throws when the moment was not reached, or the lab itself does not do what it should */
export async function runRestartCell({ moment, fault }: RestartCell): Promise<RestartResult> {
  await using lab = await TestLab.start({ hosts: ["a", "b", "c"], ownStorage: true });
  const { api } = lab;
  const params = { pool: "east" };
  await api.call("poolCreate", { body: { name: "east", hosts: ["a", "b", "c"] } });
  await api.call("poolRestartSet", { params, body: { enabled: true } });
  const vm = await lab.boot({ on: "a", memoryMib: 192 });
  await using load = await Load.start(lab.lab.id, vmAddress(0), false);
  await using watch = await RunWatch.begin(lab.lab, vm.id);
  await sleep(writesMs);
  const diedAtEpoch = Date.now();
  const diedAt = performance.now();
  await lab.lab.host("a").cutPower();
  const destination = await reach(lab, vm, moment);

  const heal = await fault.inject({ lab, vm, source: "a", destination });
  // It lasts until it is healed: here nobody judges before.
  await heal(Promise.resolve());
  const problems: string[] = [];
  let wrong = ["nothing was looked at"];
  const isWell = async () => (wrong = await notWell(lab, vm, watch)).length === 0;
  await until(isWell, { everyMs: lookEveryMs, limitMs: recoveryLimitMs });
  const recoveryMs = Math.round(performance.now() - diedAt);
  problems.push(...wrong);
  const [host = null] = await watch.runners();
  if (fault.name !== "dead-host-returns") await lab.lab.host("a").powerOn();
  if (host !== null) {
    load.reconnect();
    problems.push(...(await lab.settled(1, recoveryLimitMs)));
  }
  const finished = load.finish([[diedAtEpoch, Date.now()]]);
  finished.catch(() => undefined);
  const report = host === null ? null : await within(finished, readBackLimitMs);
  if (report === null) problems.push("the client could not read its writes back");
  else if (report.lost > 0) problems.push(`${String(report.lost)} acknowledged writes are lost`);
  else if (report.duplicated > 0) problems.push(`${String(report.duplicated)} writes are there twice`);
  if (watch.mostAtOnce > 1) problems.push(`the VM ran on ${String(watch.mostAtOnce)} hosts at once`);
  return {
    ...{ moment, fault: fault.name, host, runners: watch.mostAtOnce, recoveryMs, problems },
    lost: report?.lost ?? 0,
    duplicated: report?.duplicated ?? 0,
    acknowledged: report?.acknowledged ?? 0,
  };
}

/** @returns where the VM is started again; before that any other host. @throws when the moment does not come */
async function reach({ api }: TestLab, vm: VmView, moment: Moment): Promise<string> {
  const look = async (): Promise<string | null> => {
    if (moment === "lease-held") {
      const { vms } = await api.call("poolRestarts", { params: { pool: "east" } });
      return vms.some((one) => one.vm === vm.name && one.reason.startsWith("its lease is free in"))
        ? "b"
        : null;
    }
    const { tasks } = await api.call("taskList", {});
    const start = tasks.find(
      (task) =>
        task.kind === "vm.start" &&
        task.actor === "restart" &&
        (moment === "starting" ? !isEnded(task) : task.state === "succeeded"),
    );
    return start?.kind === "vm.start" ? start.request.host : null;
  };
  const host = await until(look, { everyMs: 50, limitMs: momentLimitMs });
  if (host === null) throw new Error(`moment ${moment} was not reached`);
  return host;
}

/** What is not well, in sentences. */
async function notWell({ api }: TestLab, { id }: VmView, watch: RunWatch): Promise<string[]> {
  const runners = await watch.runners();
  const [runner] = runners;
  if (runner === undefined || runners.length > 1)
    return [runner === undefined ? "the VM runs nowhere" : `the VM runs on ${runners.join(" and ")}`];
  try {
    const said = await api.call("vmShow", { params: { vm: id } }, shortly);
    const { holders } = await api.call("vmLeaseShow", { params: { vm: id } }, shortly);
    const { tasks } = await api.call("taskList", { query: {} }, shortly);
    const held = holders.map(({ host, mode }) => `${host} ${mode}`).join(", ");
    return [
      ...(said.state === "running" && said.host === runner
        ? []
        : [`the inventory says that the VM is ${said.state} on ${said.host}, but it runs on ${runner}`]),
      ...(held === `${runner} EX` ? [] : [`lease: held by ${held === "" ? "nobody" : held}`]),
      ...tasks.filter((task: Task) => !isEnded(task)).map((task) => `${task.description}: ${task.state}`),
    ];
  } catch (error) {
    return [`the server does not answer: ${error instanceof Error ? error.message : String(error)}`];
  }
}
