/** What is asked to bring a VM to another host: a live move where it runs, else a change of its host. Pure. */
import {
  defaultMaxOutageMs,
  objectives,
  type Objective,
  type ObjectiveName,
  type Strategy,
  type TaskRequest,
  type VmRuntime,
  type VmView,
} from "@godwit/contract";
import { orderedStrategy } from "@godwit/migration";

export interface MoveOptions {
  maxOutageMs?: number | undefined;
  bandwidthMbps?: number | undefined;
  strategy?: Strategy | undefined;
  /** Bounds of a move whose strategy is chosen while it runs: a named set, and what differs from it. */
  objective?: ObjectiveName | undefined;
  maxSlowdown?: number | undefined;
  deadlineMs?: number | undefined;
  postcopy?: Objective["postcopy"] | undefined;
  /** Of the destination: the disks move there with the VM. */
  datastore?: string | undefined;
}

type Requested =
  | { kind: "vm.migrate"; request: TaskRequest<"vm.migrate"> }
  | { kind: "vm.relocate"; request: TaskRequest<"vm.relocate"> };

/**
 * @param runtime the VM's process; null when it does not run
 * @param postcopyRecovers whether post-copy may be used without having been asked for by its name
 */
export function moveRequest(
  { id, name, host: from }: VmView,
  runtime: VmRuntime | null,
  to: string,
  options: MoveOptions,
  postcopyRecovers: boolean,
): Requested {
  const vm = { id, name };
  if (runtime === null) return { kind: "vm.relocate", request: { vm, to } };
  const accelerator = runtime.accelerator ?? "tcg";
  const { bandwidthMbps, strategy = "auto", datastore } = options;
  const objective = objectiveOf(options, postcopyRecovers);
  const { maxOutageMs = defaultMaxOutageMs[objective.name][accelerator] } = options;
  return {
    kind: "vm.migrate",
    request: {
      ...{ vm, from, to, accelerator, maxOutageMs },
      strategy: orderedStrategy(strategy),
      ...(strategy === "auto" ? { objective } : {}),
      bandwidthBytesPerSecond: bandwidthMbps === undefined ? null : (bandwidthMbps * 1e6) / 8,
      ...(datastore === undefined ? {} : { storage: { datastore } }),
    },
  };
}

/** The bounds of the named objective, but for those that are given by themselves. */
export function objectiveOf(options: MoveOptions, postcopyRecovers: boolean): Objective {
  const name = options.objective ?? "normal";
  const named: Omit<Objective, "name"> = objectives[name];
  const postcopy = options.postcopy ?? named.postcopy;
  // Disks are the destination's from one moment on; so must the memory be.
  const mayBeUsed = postcopyRecovers && options.datastore === undefined;
  return {
    name,
    maxSlowdown: options.maxSlowdown ?? named.maxSlowdown,
    deadlineMs: options.deadlineMs ?? named.deadlineMs,
    postcopy: mayBeUsed ? postcopy : "never",
  };
}
