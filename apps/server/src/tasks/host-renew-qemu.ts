/**
 * VMs that run on a QEMU of before its upgrade come onto the host's new one: each moves to another host and back, one VM
 * after the other. Every move is a task of its own and a part of this one, so whatever dies on the way, the rows say what is
 * done and what is left.
 *
 *   none is left on the QEMU of before    succeeded
 *   some could not move, or not move back failed, they are named
 *   cancelled                             cancelled, once a VM that is away is back
 */
import { GodwitError, type Finding, type TaskId, waitForTask } from "@godwit/contract";
import {
  isMove,
  moveStep,
  nextRenewal,
  renewalEnd,
  type Mover,
  type RenewalStanding,
} from "@godwit/placement";
import { outdatedQemus } from "@godwit/requirements";
import { z } from "zod";
import { checkVm } from "../moves/check-vm.ts";
import { decideMoves } from "../moves/evacuate.ts";
import { moveRequest } from "../moves/move-request.ts";
import type { TaskContext } from "./task-context.ts";
import type { TaskImplementation } from "./task-implementation.ts";

type Context = TaskContext<"host.renewQemu">;

/** Hosts that come back, and VMs that other tasks have, change no task of this one. */
const lookAgainMs = 5000;

const outdatedSchema = z.array(z.object({ id: z.string(), name: z.string() }));

export const hostRenewQemu: TaskImplementation<"host.renewQemu"> = {
  run: async (context) => {
    const { host } = context.request;
    const wanted = await context.step("findVms", outdatedSchema, async () => {
      const { load } = await context.hosts.of(host).freshReport();
      const names = new Set(outdatedQemus(load));
      return load.vms
        .filter(({ name }) => names.has(name))
        .map(({ id, name }) => ({ id, name }))
        .sort((one, other) => one.name.localeCompare(other.name));
    });

    using changes = context.watchTasks((task) => task.id !== context.id || task.state === "cancelling");
    const stuck = new Map<string, Finding[]>();
    for (;;) {
      const standing = await look(context, wanted);
      const steps = standing.moves.map(moveStep);
      await context.change((task) => (JSON.stringify(steps) === JSON.stringify(task.steps) ? {} : { steps }));
      const next = nextRenewal(standing, stuck);
      if (next === null) {
        const { renewed, problem } = renewalEnd(standing, stuck);
        if (problem === null) return { state: "succeeded", result: { renewed } };
        return { state: problem.code === "QEMU_RENEWAL_CANCELLED" ? "cancelled" : "failed", problem };
      }
      if (next === "wait") {
        await changes.next(lookAgainMs);
        continue;
      }
      const findings = await startMove(context, next);
      if (findings === "busy") await changes.next(lookAgainMs);
      else if (findings.length > 0) stuck.set(next.mover.vm.id, findings);
    }
  },

  /** Starts no more moves away; a VM that is away comes back first. */
  cancel: async (context) => await context.change(() => ({ state: "cancelling", cancellable: false })),
};

async function look(context: Context, wanted: RenewalStanding["wanted"]): Promise<RenewalStanding> {
  const { id, store } = context;
  return await context.persist(async () => {
    // In this order: what has ended by the look at the tasks is where the look at the VMs finds it.
    const task = await store.tasks.show(id);
    const parts = await store.tasks.childrenOf(id);
    const vms = await store.vms.list();
    return {
      host: context.request.host,
      cancelling: task.state === "cancelling",
      ...{ wanted, vms, moves: parts.filter(isMove) },
    };
  });
}

/** @returns why it may not move as things are; "busy": it is looked at again after a while */
async function startMove(
  context: Context,
  { is, mover }: { is: "away" | "back"; mover: Mover },
): Promise<Finding[] | "busy"> {
  const { host, maxOutageMs } = context.request;
  try {
    const chosen = is === "back" ? { to: host } : await awayTo(context, mover);
    if (!("to" in chosen)) return chosen.stuck ?? "busy";
    const { to } = chosen;
    const { findings, runtime, postcopyRecovers } = await checkVm(context, mover.vm, to);
    const errors = findings.filter(({ severity }) => severity === "error");
    if (errors.length > 0) return errors.map((one) => ({ ...one, vm: mover.vm.name }));
    await context.start(moveRequest(mover.vm, runtime, to, { maxOutageMs }, postcopyRecovers));
    await context.setWaiting(null);
    return [];
  } catch (error) {
    if (GodwitError.is(error, "HOST_UNREACHABLE")) {
      await context.waitFor(context.hosts.of(mover.vm.host));
      return "busy";
    }
    if (GodwitError.is(error, "VM_BUSY")) {
      const { task, what } = error.problem.details as { task: string; what: string };
      await context.setWaiting(waitForTask({ id: task as TaskId, description: what }));
      return "busy";
    }
    if (passing.some((code) => GodwitError.is(error, code))) return "busy";
    throw error;
  }
}
const passing = ["DESTINATION_IN_MAINTENANCE", "VM_NOT_RUNNING"] as const;

/** @returns the host with the most room of those that may have it, or why none may; null: not just now */
async function awayTo(context: Context, mover: Mover): Promise<{ to: string } | { stuck: Finding[] | null }> {
  const { host } = context.request;
  const limits = { free: 1, perTarget: 1 };
  const { begin, stuck } = await context.persist(() => decideMoves(context, host, [mover], limits));
  const [first] = begin;
  if (first !== undefined) return { to: first.to };
  return { stuck: stuck[0]?.findings ?? null };
}
