/**
 * A host that is in maintenance and has no VMs is shut down, or its power is cut. It holds the host's lock meanwhile, so nobody takes it out of
 * maintenance. It is looked at, not believed: off is what the controller says, and the agent is gone. Where the controller cannot
 * tell, the agent must have been away for a while. That a host is off is no proof for anybody: leases stay as they are.
 */
import {
  GodwitError,
  hasProcess,
  taskDefinitionOf,
  type PowerState,
  type Task,
  type TaskId,
} from "@godwit/contract";
import { sleep } from "@godwit/system";
import { z } from "zod";
import { cuts } from "../power/power-controls.ts";
import type { TaskContext } from "./task-context.ts";
import type { TaskImplementation } from "./task-implementation.ts";

type Context = TaskContext<"host.powerOff">;

/** Neither controllers nor shutdowns tell of themselves. */
const lookAgainMs = 2000;
const cutWithinMs = 60_000;
/** An agent that is started again is back by then. */
const awayMs = 20_000;

export const hostPowerOff: TaskImplementation<"host.powerOff"> = {
  run: async (context) => {
    const { host, pool = null } = context.request;
    const { powers } = context.store;
    await context.step("check", z.null(), async () => {
      await mustBeEmpty(context);
      return null;
    });
    const enter = async (state: PowerState | null) => {
      await context.persist(() => powers.enter(host, state, pool));
    };
    await enter("stopping");
    try {
      const { at } = await context.step("down", z.object({ at: z.iso.datetime() }), async () => {
        if (await isStillEmpty(context)) await goDown(context);
        return { at: new Date().toISOString() };
      });
      const power = await context.step("off", z.literal("off").nullable(), () =>
        untilOff(context, Date.parse(at)),
      );
      await enter("standby");
      return { state: "succeeded", result: { power } };
    } catch (error) {
      if (!context.stopped.aborted) await enter(null);
      throw error;
    }
  },
};

/** @throws HOST_NOT_IN_MAINTENANCE, HOST_RUNS_VMS, HOST_TASK_UNDER_WAY, HOST_UNREACHABLE, HOST_POWER_UNSET, HOST_POWER_CUT_UNSUPPORTED */
export async function mustBeEmpty({
  store,
  hosts,
  power,
  request: { host, force },
  id,
}: Pick<Context, "store" | "hosts" | "power" | "request"> & { id?: TaskId }): Promise<void> {
  const { kind } = await store.powers.show(host);
  if (force && !cuts(kind)) throw GodwitError.of("HOST_POWER_CUT_UNSUPPORTED", { host, kind });
  if ((await store.hosts.show(host)).maintenance !== "on")
    throw GodwitError.of("HOST_NOT_IN_MAINTENANCE", { host });
  const unfinished = await store.tasks.unfinished();
  const own = unfinished.find((task) => task.id === id);
  const needing = unfinished.find(
    (task) => task.id !== id && task.id !== own?.parent && hostsOf(task).includes(host),
  );
  if (needing !== undefined) {
    const { id: task, description: what } = needing;
    throw GodwitError.of("HOST_TASK_UNDER_WAY", { host, task, what });
  }
  // By the inventory, and by the host itself: what the one does not know yet the other tells.
  const known = (await store.vms.list()).filter((vm) => vm.host === host && vm.state !== "stopped");
  const here = await processesOn(hosts, host).catch(async (error: unknown) => {
    // One whose power is cut need not answer, and one that is off cannot.
    if (force || (await power.power(host).catch(() => null)) === "off") return [];
    throw error;
  });
  const vms = [...new Set([...known.map(({ name }) => name), ...here])].sort();
  if (vms.length > 0) throw GodwitError.of("HOST_RUNS_VMS", { host, vms });
}

const hostsOf = ({ kind, request }: Task): readonly string[] =>
  taskDefinitionOf(kind).concerns(request).hosts;

async function processesOn(hosts: Context["hosts"], host: string): Promise<string[]> {
  const link = hosts.of(host);
  const { vms } = await link.freshLoad().catch((error: unknown) => {
    throw link.unreachable(error);
  });
  return vms.filter(hasProcess).map(({ name }) => name);
}

/**
 * The check again, right before the host goes down: since the first one the server may have been restarted, and a VM been started.
 * @returns false: it does not answer, and an earlier server may have had it shut down already. Nothing more is asked of it; whether it goes off is looked at
 * @throws as `mustBeEmpty`
 */
async function isStillEmpty(context: Context): Promise<boolean> {
  try {
    await context.persist(() => mustBeEmpty(context));
    return true;
  } catch (error) {
    if (context.mayHaveAsked && GodwitError.is(error, "HOST_UNREACHABLE")) return false;
    throw error;
  }
}

/** It may be asked again. */
async function goDown(context: Context): Promise<void> {
  const { host, force } = context.request;
  if (force) {
    await context.power.cut(host);
    return;
  }
  if (await context.power.shutDown(host)) return;
  try {
    await context.ask(host, async (link) => {
      const { bootId } = await link.freshFacts();
      return await link.agent.call("hostPowerOff", { body: { bootId: bootId ?? "" } });
    });
  } catch (error) {
    // It may have done already what an earlier server asked for: whether it is gone is looked at next.
    if (!context.mayHaveAsked || !GodwitError.is(error, "HOST_UNREACHABLE")) throw error;
  }
}

/** @returns null: it is gone, and nobody can tell whether it is off @throws HOST_STAYED_ON */
async function untilOff(context: Context, sinceMs: number): Promise<"off" | null> {
  const { host, force } = context.request;
  const { kind, offSeconds } = await context.persist(() => context.store.powers.show(host));
  const limitMs = force ? cutWithinMs : offSeconds * 1000;
  let goneSinceMs: number | null = null;
  for (;;) {
    const isUp = context.hosts.isUp(host);
    goneSinceMs = isUp ? null : (goneSinceMs ?? Date.now());
    if (cuts(kind)) {
      const now = await context.power.power(host).catch((error: unknown) => {
        // A BMC may be slow while its host goes down.
        if (GodwitError.is(error, "HOST_POWER_FAILED") && Date.now() - sinceMs < limitMs) return null;
        throw error;
      });
      if (now === "off" && !isUp) return "off";
    } else if (goneSinceMs !== null && Date.now() - goneSinceMs >= awayMs) return null;
    if (Date.now() - sinceMs >= limitMs)
      throw GodwitError.of("HOST_STAYED_ON", { host, seconds: Math.round(limitMs / 1000) });
    await sleep(lookAgainMs, context.stopped);
    context.stopped.throwIfAborted();
  }
}
