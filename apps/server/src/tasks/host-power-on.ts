/**
 * A host is powered on, and waited for until its agent answers. One that was off and is back has shown that it wakes, which is what a pool
 * that saves power goes by; one that does not come back raises an alarm, and is not powered off by its pool any more.
 */
import { GodwitError } from "@godwit/contract";
import { sleep } from "@godwit/system";
import { z } from "zod";
import type { TaskContext } from "./task-context.ts";
import type { TaskImplementation } from "./task-implementation.ts";

type Context = TaskContext<"host.powerOn">;

const lookAgainMs = 2000;
/** A packet of Wake-on-LAN may be lost, and a BMC may forget. */
const turnOnAgainMs = 20_000;

const turnedOn = z.object({
  at: z.iso.datetime(),
  wasOff: z.boolean(),
  /** Whether it was in standby, and for which pool. */
  standby: z.object({ pool: z.string().nullable() }).nullable(),
});

export const hostPowerOn: TaskImplementation<"host.powerOn"> = {
  run: async (context) => {
    const { host, pool = null } = context.request;
    const { powers, hosts } = context.store;
    const { at, wasOff, standby } = await context.step("on", turnedOn, async () => {
      const before = await powers.show(host);
      const isUp = context.hosts.isUp(host);
      const isOff = !isUp && (before.state === "standby" || (await context.power.power(host)) === "off");
      return {
        at: new Date().toISOString(),
        wasOff: isOff,
        standby: before.state === "standby" ? { pool: before.pool } : null,
      };
    });
    await context.persist(() => powers.enter(host, "waking", pool));
    try {
      await context.step("back", z.null(), () => untilBack(context, Date.parse(at)));
    } catch (error) {
      if (context.stopped.aborted) throw error;
      const reason = reasonOf(error);
      const isOn = (await context.power.power(host).catch(() => null)) === "on";
      // One that is on and does not answer is lost.
      const state = isOn || standby === null ? null : "standby";
      await context.persist(() => powers.didNotWake(host, reason, { state, pool: standby?.pool ?? null }));
      throw GodwitError.of("HOST_DID_NOT_WAKE", { host, reason }, { cause: error });
    }
    // What a pool has emptied to save power is its host again, whoever woke it.
    if (pool !== null || (standby !== null && standby.pool !== null))
      await context.persist(() => hosts.setMaintenance(host, "off", context.id));
    await context.persist(() => powers.woke(host, { wasOff, forPool: pool !== null }));
    return { state: "succeeded", result: { wasOff } };
  },
};

async function untilBack(context: Context, sinceMs: number): Promise<null> {
  const { host } = context.request;
  const { wakeSeconds } = await context.persist(() => context.store.powers.show(host));
  let turnOnAtMs = 0;
  let trouble: string | null = null;
  while (!(await answers(context))) {
    const nowMs = Date.now();
    if (nowMs >= turnOnAtMs) {
      trouble = await context.power.turnOn(host).then(() => null, reasonOf);
      turnOnAtMs = nowMs + turnOnAgainMs;
    }
    if (nowMs - sinceMs >= wakeSeconds * 1000) {
      const late = `its agent does not answer ${String(wakeSeconds)} s later`;
      throw new Error(trouble === null ? late : `${late}; ${trouble}`);
    }
    await sleep(lookAgainMs, context.stopped);
    context.stopped.throwIfAborted();
  }
  return null;
}

/** By its event stream, and by its report. */
async function answers({ hosts, request: { host } }: Context): Promise<boolean> {
  const link = hosts.of(host);
  return (
    link.isUp &&
    (await link.freshReport().then(
      () => true,
      () => false,
    ))
  );
}

/** @throws what is not about the host or its controller */
function reasonOf(error: unknown): string {
  if (GodwitError.is(error, "DATABASE_UNAVAILABLE")) throw error;
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, "");
}
