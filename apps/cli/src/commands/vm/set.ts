/** `godwit vm set` */
import type { CpuAffinity } from "@godwit/contract";
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { runTask } from "../../run-task.ts";
import { detachFlag, jsonFlag, vmArgument, wordsOf, type TaskFlags } from "../common.ts";

interface Flags extends TaskFlags {
  cpuAffinity?: { cpus: CpuAffinity | null };
  tpm?: "on" | "off";
}

export const setCommand = buildCommand({
  docs: {
    brief: "Change settings of a VM, at rest or while it runs",
    fullDescription: `With CPU affinity, a VM runs on the named logical CPUs of its host only, and cannot be moved while it runs.

A TPM is added and taken away while the VM is stopped. Its state is kept in the VM's folder: with --tpm on after --tpm off it is
the same TPM.

Examples:
  godwit vm set web-1 --cpu-affinity 2,3
  godwit vm set web-1 --cpu-affinity none
  godwit vm set web-1 --tpm on`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      cpuAffinity: {
        kind: "parsed",
        parse: (text: string) => ({ cpus: parseAffinity(text) }),
        placeholder: "CPUS|none",
        brief: "Logical CPUs of the host that the VM may use, like 0,2-3",
        optional: true,
      },
      tpm: {
        kind: "enum",
        values: wordsOf<"on" | "off">({ on: true, off: true }),
        brief: "Whether it has a TPM 2.0; the VM must be stopped",
        optional: true,
      },
    },
    positional: vmArgument,
  },
  async func(flags: Flags, vm: string) {
    const { tpm } = flags;
    const cpuAffinity = flags.cpuAffinity?.cpus;
    if (cpuAffinity === undefined && tpm === undefined)
      throw GodwitError.of("USAGE", {
        what: "Nothing is given that could be changed.",
        hint: "Like --cpu-affinity 0,2-3, or --tpm on.",
      });
    const body = {
      ...(cpuAffinity === undefined ? {} : { cpuAffinity }),
      ...(tpm === undefined ? {} : { tpm: tpm === "on" }),
    };
    const done = [
      ...(cpuAffinity === undefined ? [] : [affinityText(vm, cpuAffinity)]),
      ...(tpm === undefined ? [] : [`VM ${vm} has ${tpm === "on" ? "a" : "no"} TPM.`]),
    ];
    await withApi((api) => runTask(api, api.call("vmSet", { params: { vm }, body }), flags, done.join("\n")));
  },
});

const affinityText = (vm: string, cpus: CpuAffinity | null): string =>
  cpus === null
    ? `VM ${vm} may use all CPUs of its host.`
    : `VM ${vm} is bound to CPUs ${cpus.join(", ")} of its host.`;

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
