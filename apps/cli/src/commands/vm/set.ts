/** `godwit vm set` */
import type { CpuAffinity } from "@godwit/contract";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { runTask } from "../../run-task.ts";
import { detachFlag, jsonFlag, vmArgument, type TaskFlags } from "../common.ts";

export const setCommand = buildCommand({
  docs: {
    brief: "Change settings of a VM, at rest or while it runs",
    fullDescription: `With CPU affinity, a VM runs on the named logical CPUs of its host only, and cannot be moved while it runs.

Examples:
  godwit vm set web-1 --cpu-affinity 2,3
  godwit vm set web-1 --cpu-affinity none`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      cpuAffinity: {
        kind: "parsed",
        parse: parseAffinity,
        placeholder: "CPUS|none",
        brief: "Logical CPUs of the host that the VM may use, like 0,2-3",
      },
    },
    positional: vmArgument,
  },
  async func(flags: TaskFlags & { cpuAffinity: CpuAffinity | null }, vm: string) {
    const { cpuAffinity } = flags;
    await withApi((api) =>
      runTask(
        api,
        api.call("vmSet", { params: { vm }, body: { cpuAffinity } }),
        flags,
        cpuAffinity === null
          ? `VM ${vm} may use all CPUs of its host.`
          : `VM ${vm} is bound to CPUs ${cpuAffinity.join(", ")} of its host.`,
      ),
    );
  },
});

/** The highest number that Linux gives a CPU. */
const mostCpu = 8191;

/** `0,2-3`, or null for `none`. */
export function parseAffinity(text: string): CpuAffinity | null {
  if (text === "none") return null;
  const cpus = text.split(",").flatMap((part) => {
    const [, first, last = first] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (first === undefined || to < from || to > mostCpu)
      throw new Error(`"${text}" is not a list of CPUs from 0 to ${String(mostCpu)}; write 0,2-3 or none.`);
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
  return [...new Set(cpus)];
}
