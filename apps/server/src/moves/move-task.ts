/** The task that brings a VM to another host, after everything that can be refused was: a live move, or a change of its home. */
import { randomUUID } from "node:crypto";
import {
  defaultMaxOutageMs,
  type MoveOrder,
  type Strategy,
  type TaskId,
  type VmRuntime,
  type VmView,
} from "@godwit/contract";
import type { NewTask } from "@godwit/store";
import type { HostLinks } from "../hosts/host-links.ts";

export interface MoveWishes {
  maxOutageMs?: number | undefined;
  bandwidthMbps?: number | undefined;
  strategy?: Strategy | undefined;
  /** The task that this move is a part of. */
  parent?: TaskId;
}

/** @param runtime the VM's process; null when it does not run. @throws HOST_UNKNOWN */
export function moveTask(
  hosts: HostLinks,
  vm: VmView,
  runtime: VmRuntime | null,
  to: string,
  wishes: MoveWishes,
): NewTask {
  const id = randomUUID() as TaskId;
  const common = {
    id,
    subject: { kind: "vm", id: vm.id, name: vm.name },
    actor: "admin",
    arrivesAt: to,
    ...(wishes.parent === undefined ? {} : { parent: wishes.parent }),
  } as const;
  if (runtime === null) {
    return { ...common, kind: "vm.relocate", request: { vmId: vm.id, to }, cancellable: false };
  }
  const accelerator = runtime.accelerator ?? "tcg";
  const order: MoveOrder = {
    id: id as string as MoveOrder["id"],
    vm: vm.config,
    from: vm.host,
    to: { host: to, agentUrl: hosts.of(to).url },
    maxOutageMs: wishes.maxOutageMs ?? defaultMaxOutageMs[accelerator],
    accelerator,
    strategy: wishes.strategy === "postcopy" ? "postcopy" : "precopy",
    bandwidthBytesPerSecond: wishes.bandwidthMbps === undefined ? null : (wishes.bandwidthMbps * 1e6) / 8,
  };
  return { ...common, kind: "vm.migrate", request: { order }, cancellable: true };
}
