/** Which strategy a move takes: by what was asked for, and by what the source's QEMU can be trusted with. */
import type { MoveOrder, Strategy as Requested, Vm } from "@godwit/contract";
import { repeatedPassesLose } from "../copy.ts";
import { auto, autoPrecopy } from "./auto.ts";
import { postcopy } from "./postcopy.ts";
import { precopy } from "./precopy.ts";
import { singlePass } from "./single-pass.ts";
import type { CopyLimits, Strategy, StrategyName } from "./strategy.ts";

/** All of them: one file each. */
export const strategies: Readonly<Record<StrategyName, Strategy>> = {
  auto,
  "auto-precopy": autoPrecopy,
  precopy,
  "single-pass": singlePass,
  postcopy,
};

/** What a move is ordered with when a user asks for `requested`. */
export const orderedStrategy = (requested: Requested | undefined): MoveOrder["strategy"] =>
  requested === "postcopy" ? "postcopy" : "precopy";

type Order = Pick<MoveOrder, "strategy" | "accelerator" | "objective"> & { vm: Pick<Vm, "numa"> };

/** What the order asks for: all that the destination, which copies nothing, needs to know. */
export function requestedStrategy({
  strategy,
  objective,
}: Pick<MoveOrder, "strategy" | "objective">): Strategy {
  if (objective === undefined) return strategies[strategy];
  return objective.postcopy === "lastResort" ? auto : autoPrecopy;
}

/**
 * The order for the QEMU that the VM runs under. What the server knows of post-copy is of the QEMU that is installed: a
 * process of before an upgrade does not use it as the last resort. Any other goes on without it where it is not to be had.
 */
export function orderFor<O extends Pick<MoveOrder, "objective" | "postcopyMayBeLeftOut">>(
  order: O,
  qemuVersion: string,
  installed: string,
): O {
  if (order.objective?.postcopy !== "lastResort") return order;
  return qemuVersion === installed ? { ...order, postcopyMayBeLeftOut: true } : withoutLastResort(order);
}

/** The order of a move that goes on without post-copy. */
export function withoutLastResort<O extends Pick<MoveOrder, "objective">>(order: O): O {
  if (order.objective === undefined) return order;
  return { ...order, objective: { ...order.objective, postcopy: "never" } };
}

/** Whether the move goes on without post-copy where the destination's QEMU cannot receive one. */
export const mayLeaveOutPostcopy = (
  order: Pick<MoveOrder, "strategy" | "objective" | "postcopyMayBeLeftOut">,
): boolean => order.postcopyMayBeLeftOut === true && requestedStrategy(order) === auto;

/** @param qemuVersion of the source's process, like `7.2.22` */
export function chooseStrategy(order: Order, qemuVersion: string): Strategy {
  const requested = requestedStrategy(order);
  const isPassBound = copyLimits(order, qemuVersion).trustedPasses === 1;
  // Only who asked for post-copy by its name gets it in the middle of the only pass.
  return isPassBound && requested !== postcopy ? singlePass : requested;
}

export function copyLimits({ accelerator, objective, vm }: Order, qemuVersion: string): CopyLimits {
  const isPassBound = repeatedPassesLose(accelerator, qemuVersion, vm.numa?.length ?? 1);
  return { trustedPasses: isPassBound ? 1 : Number.POSITIVE_INFINITY, objective: objective ?? null };
}
