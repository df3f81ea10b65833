/** What is asked to bring a VM to another host: a live move where it runs, else a change of its host. Pure. */
import {
  defaultMaxOutageMs,
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
}

type Requested =
  | { kind: "vm.migrate"; request: TaskRequest<"vm.migrate"> }
  | { kind: "vm.relocate"; request: TaskRequest<"vm.relocate"> };

/** @param runtime the VM's process; null when it does not run */
export function moveRequest(
  { id, name, host: from }: VmView,
  runtime: VmRuntime | null,
  to: string,
  options: MoveOptions,
): Requested {
  const vm = { id, name };
  if (runtime === null) return { kind: "vm.relocate", request: { vm, to } };
  const accelerator = runtime.accelerator ?? "tcg";
  const { bandwidthMbps, maxOutageMs = defaultMaxOutageMs[accelerator] } = options;
  return {
    kind: "vm.migrate",
    request: {
      ...{ vm, from, to, accelerator, maxOutageMs },
      strategy: orderedStrategy(options.strategy),
      bandwidthBytesPerSecond: bandwidthMbps === undefined ? null : (bandwidthMbps * 1e6) / 8,
    },
  };
}
