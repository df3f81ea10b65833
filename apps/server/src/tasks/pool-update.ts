/**
 * The hosts of a pool are updated one after the other. How far each is stands in the task's `hosts`, written before what follows
 * starts, so that a server that takes the task up goes on from there: each phase may be done again. A host with which there is trouble stays
 * in maintenance, and no other one begins. Cancelled, a host that is emptied goes back, and one that has been given its command is
 * brought to its end first: what the command does cannot be taken back.
 */
import { createHash } from "node:crypto";
import {
  GodwitError,
  isEnded,
  type HostCommandView,
  type HostUpdate,
  type Maintenance,
  type Task,
  type TaskId,
  type TaskOf,
} from "@godwit/contract";
import {
  commandTrouble,
  currentHost,
  isMove,
  lostParts,
  newHostUpdate,
  updateEnd,
  updateSteps,
} from "@godwit/placement";
import { workingParts } from "@godwit/requirements";
import type { HostRow } from "@godwit/store";
import { bringBack, vmsAway } from "../moves/bring-back.ts";
import type { TaskContext } from "./task-context.ts";
import type { TaskImplementation } from "./task-implementation.ts";

type Context = TaskContext<"pool.update">;
/** What a phase came to: the next one, or why the update stops. `again`: it is looked at again. */
type Outcome = { phase: HostUpdate["phase"]; also?: Partial<HostUpdate> } | { trouble: string } | "again";

/** Commands, boots and health tell of themselves only when asked. */
const lookAgainMs = 2000;
/** Beyond a command's own time, and for a boot: a host that is not back by then is not well. */
const backWithinMs = 20 * 60_000;
/** sanlock needs minutes to join its lockspaces after a boot. */
const wellWithinMs = 10 * 60_000;
/** Of what a command has written: the task is told as a whole with each change. */
const toldOutput = 4000;

export const poolUpdate: TaskImplementation<"pool.update"> = {
  run: async (context) => {
    const { pool, hosts: names } = context.request;
    await context.change(({ hosts, state }) => ({
      ...(hosts === null ? { hosts: names.map(newHostUpdate) } : {}),
      ...(state === "queued" ? { state: "running" } : {}),
    }));
    using changes = context.watchTasks((task) => task.id !== context.id || task.state === "cancelling");
    for (;;) {
      const { hosts, state } = await look(context);
      const current = currentHost(hosts);
      const cancelling = state === "cancelling";
      if (current === null || (cancelling && current.phase === "waiting")) {
        const stopped = hosts.find(({ phase }) => phase === "stopped");
        const inMaintenance = stopped !== undefined && (await maintenanceOf(context, stopped.host)) !== "off";
        const problem = updateEnd(pool, hosts, { cancelling, inMaintenance });
        if (problem === null) return { state: "succeeded", result: { updated: names } };
        return { state: problem.code === "POOL_UPDATE_CANCELLED" ? "cancelled" : "failed", problem };
      }
      const outcome = await phases[current.phase](context, current, cancelling).catch(asTrouble);
      if (outcome === "again") await changes.next(lookAgainMs);
      else await keep(context, current, outcome);
    }
  },

  cancel: async (context) => await context.change(() => ({ state: "cancelling", cancellable: false })),
};

const phases: Record<
  HostUpdate["phase"],
  (context: Context, update: HostUpdate, cancelling: boolean) => Promise<Outcome>
> = {
  waiting: async (context, { host, worked: before }) => {
    const { power, facts, load } = await hostOf(context, host);
    if (power !== null && power.state !== null) {
      // As it was before it went off: its leases take minutes to be joined again.
      const worked = facts === null || load === null ? [] : workingParts({ facts, load });
      return { phase: "waking", also: { startedAt: new Date().toISOString(), worked } };
    }
    const report = await context.hosts.of(host).freshReport();
    const wasInMaintenance = (await maintenanceOf(context, host)) === "on";
    if (wasInMaintenance && !(await holdInMaintenance(context, host))) return "again";
    const worked = [...new Set([...before, ...workingParts(report)])];
    const also = { startedAt: new Date().toISOString(), worked, wasInMaintenance };
    return { phase: wasInMaintenance ? afterEmptying(context) : "emptying", also };
  },

  waking: async (context, { host }, cancelling) => {
    const { power } = await hostOf(context, host);
    const own = (await partsOf(context)).findLast(
      (task) => task.kind === "host.powerOn" && task.request.host === host,
    );
    if (own === undefined) {
      if (cancelling || power === null || power.state === null) return { phase: "waiting" };
      // Whoever powers it off or on now is waited for.
      if (power.state !== "standby") return "again";
      if (power.pool === null) return { trouble: "it is in standby: an operator has powered it off" };
      return await wake(context, host, power.pool);
    }
    if (!isEnded(own)) return "again";
    if (own.state !== "succeeded")
      return { trouble: `it could not be powered on: ${partOf(own.error?.detail ?? own.state)}` };
    // Another time it is not woken: whoever powers it off wants it off.
    return power === null || power.state === null
      ? { phase: "waiting" }
      : { trouble: "it was powered off again before its turn" };
  },

  emptying: async (context, { host }, cancelling) => {
    const { concurrency, maxOutageMs } = context.request;
    const before = (await partsOf(context)).findLast(
      (task) => task.kind === "host.enterMaintenance" && task.request.host === host,
    );
    if (cancelling && before === undefined) return { phase: "waiting" };
    const request = { host, concurrency, maxOutageMs };
    const task = before ?? (await context.start({ kind: "host.enterMaintenance", request }));
    if (cancelling) await context.cancelPart(task.id);
    const ended = await endOf(context, task.id);
    if (ended === null) return "again";
    if (ended.state === "succeeded") {
      if (!(await holdInMaintenance(context, host)))
        return { trouble: "somebody took it out of maintenance before its command could run" };
      return cancelling ? { phase: "returning" } : { phase: afterEmptying(context) };
    }
    if (ended.state === "cancelled" && cancelling) return { phase: "waiting" };
    return { trouble: `it could not be emptied: ${partOf(ended.error?.detail ?? ended.state)}` };
  },

  running: async (context, update) => {
    const { command, timeoutSeconds } = context.request;
    const { host } = update;
    const commandId = idOf(context.id, host);
    const params = { commandId };
    const view = await whenBack(context, update, timeoutSeconds * 1000 + backWithinMs, async () => {
      const { agent } = context.hosts.of(host);
      return await agent.call("commandStart", { params, body: { command: command ?? "", timeoutSeconds } });
    });
    if (view === null || view.state === "running") return "again";
    const { state, exitCode, output } = view as HostCommandView & { state: "ended" | "interrupted" };
    const also = { exitCode, output: output.slice(-toldOutput) };
    const trouble = commandTrouble({ state, exitCode, output }, timeoutSeconds);
    if (trouble !== null) {
      await keep(context, update, { phase: "running", also });
      return { trouble };
    }
    return { phase: context.request.reboot ? "rebooting" : "checking", also };
  },

  rebooting: async (context, update) => {
    const { host, bootId } = update;
    const link = context.hosts.of(host);
    if (bootId === null) {
      const facts = await whenBack(context, update, backWithinMs, async () => await link.freshFacts());
      return facts === null ? "again" : { phase: "rebooting", also: { bootId: facts.bootId ?? "" } };
    }
    const now = await whenBack(context, update, backWithinMs, async () => {
      const before = await link.freshFacts();
      if (before.bootId !== bootId) return before;
      // It answers with what it was, and goes down.
      await link.agent.call("hostReboot", { body: { bootId } });
      return null;
    });
    if (now !== null) return { phase: "checking" };
    if (Date.now() - sinceOf(update) <= backWithinMs) return "again";
    return { trouble: "it was not booted again within 20 minutes" };
  },

  checking: async (context, update) => {
    const since = sinceOf(update);
    const report = await whenBack(
      context,
      update,
      backWithinMs,
      async () => await context.hosts.of(update.host).freshReport(),
    );
    if (report === null) return "again";
    const lost = lostParts(update.worked, workingParts(report));
    if (lost === null) return { phase: "returning" };
    return Date.now() - since < wellWithinMs ? "again" : { trouble: lost };
  },

  returning: async (context, { host, wasInMaintenance, exitCode, bootId }, cancelling) => {
    const { store, id } = context;
    const also = { endedAt: new Date().toISOString(), detail: null };
    const wasUpdated = exitCode !== null || bootId !== null;
    const end: Outcome = { phase: cancelling && !wasUpdated ? "waiting" : "done", also };
    if (wasInMaintenance) {
      await context.persist(() => store.tasks.letGo(id, host));
      return { ...end, also: { ...also, detail: "it stays in maintenance, as it was" } };
    }
    if ((await maintenanceOf(context, host)) !== "off")
      await context.persist(() => store.hosts.setMaintenance(host, "off", id));
    await context.persist(() => store.tasks.letGo(id, host));
    const pool = await context.persist(() => store.pools.ofHost(host));
    if (pool?.balance.automation === "full")
      return { ...end, also: { ...also, detail: "the balancer gives it VMs again" } };
    const tried = (await partsOf(context)).filter((task) => isMove(task) && task.request.to === host);
    if (tried.some((task) => !isEnded(task))) return "again";
    const left: string[] = [];
    let started = 0;
    for (const vm of await context.persist(() => vmsAway({ store }, host))) {
      if (tried.some(({ subject }) => subject.id === vm.id)) {
        left.push(vm.name);
        continue;
      }
      const { maxOutageMs } = context.request;
      const step = await bringBack(context, vm, { to: host, maxOutageMs }, (task) => context.start(task));
      if ("reason" in step) left.push(vm.name);
      else started += 1;
    }
    if (started > 0) return "again";
    return left.length === 0
      ? end
      : { ...end, also: { ...also, detail: `${left.join(", ")} stayed where they went` } };
  },

  done: () => Promise.resolve("again"),
  stopped: () => Promise.resolve("again"),
};

async function wake(context: Context, host: string, pool: string): Promise<Outcome> {
  try {
    await context.start({ kind: "host.powerOn", request: { host, pool } });
  } catch (error) {
    // Its pool wakes it already.
    if (!GodwitError.is(error, "HOST_TASK_UNDER_WAY")) throw error;
  }
  return "again";
}

/** From then on nobody takes it out of maintenance. @returns whether nobody had before @throws HOST_TASK_UNDER_WAY */
async function holdInMaintenance(context: Context, host: string): Promise<boolean> {
  await context.persist(() => context.store.tasks.hold(context.id, host));
  if ((await maintenanceOf(context, host)) === "on") return true;
  await context.persist(() => context.store.tasks.letGo(context.id, host));
  return false;
}

const afterEmptying = ({ request }: Context): HostUpdate["phase"] =>
  request.command === null ? "rebooting" : "running";

async function look(context: Context): Promise<TaskOf<"pool.update"> & { hosts: HostUpdate[] }> {
  const task = (await context.persist(() => context.store.tasks.show(context.id))) as TaskOf<"pool.update">;
  return { ...task, hosts: task.hosts ?? [] };
}

async function keep(
  context: Context,
  { host }: HostUpdate,
  outcome: Exclude<Outcome, "again">,
): Promise<void> {
  const change: Partial<HostUpdate> =
    "trouble" in outcome
      ? { phase: "stopped", detail: outcome.trouble, endedAt: new Date().toISOString() }
      : { ...outcome.also, phase: outcome.phase, phaseAt: new Date().toISOString() };
  await context.change((task) => {
    const hosts = (task.hosts ?? []).map((one) => (one.host === host ? { ...one, ...change } : one));
    return { hosts, steps: updateSteps(hosts), waitingFor: null };
  });
  if ("trouble" in outcome) await context.persist(() => context.store.tasks.letGo(context.id, host));
}

/** What can be refused, and what is not known to be done, is trouble with this host; all else is the server's own. */
function asTrouble(error: unknown): Outcome {
  if (!GodwitError.is(error) || error.code === "DATABASE_UNAVAILABLE") throw error;
  return { trouble: partOf(error.message) };
}
const partOf = (sentence: string): string => sentence.replace(/\.$/, "");

/**
 * What the host answers; null: it does not now, as while it is booted or its agent is upgraded.
 * @param withinMs since the phase began @throws HOST_UNREACHABLE when that time is over; what the agent refuses with
 */
async function whenBack<T>(
  context: Context,
  update: HostUpdate,
  withinMs: number,
  ask: () => Promise<T>,
): Promise<T | null> {
  const link = context.hosts.of(update.host);
  try {
    return await ask();
  } catch (error) {
    const isAway = ["CONNECTION_FAILED", "OUTCOME_UNKNOWN", "HOST_UNREACHABLE"].some((code) =>
      GodwitError.is(error, code as "HOST_UNREACHABLE"),
    );
    if (!isAway || Date.now() - sinceOf(update) > withinMs) throw link.unreachable(error);
    await context.waitFor(link);
    return null;
  }
}

/** When its phase began, ms since 1970: a server that is started again in between gives it no more time. */
const sinceOf = ({ phaseAt }: HostUpdate): number =>
  phaseAt === undefined ? Date.now() : Date.parse(phaseAt);

const partsOf = async (context: Context): Promise<Task[]> =>
  await context.persist(() => context.store.tasks.childrenOf(context.id));

/** A task that has ended; null: it goes on. */
async function endOf(context: Context, id: TaskId): Promise<Task | null> {
  const task = await context.persist(() => context.store.tasks.show(id));
  return isEnded(task) ? task : null;
}

const hostOf = async (context: Context, host: string): Promise<HostRow> =>
  await context.persist(() => context.store.hosts.show(host));

const maintenanceOf = async (context: Context, host: string): Promise<Maintenance> =>
  (await hostOf(context, host)).maintenance;

/** The same whenever it is asked for: a command is run once. */
function idOf(task: string, host: string): string {
  const hash = createHash("sha256").update(`${task} ${host}`).digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x80;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString("hex", 0, 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
