/** `godwit cpu mask qemu` */
import type { VmCpu } from "@godwit/contract";
import { buildCommand } from "@stricli/core";
import { jsonFlag } from "../../common.ts";
import { grammar, hostFlags, masksArgument } from "./shared.ts";

export const qemuCommand = buildCommand({
  docs: {
    brief: "Convert a VM's CPU masks to flags of a QEMU CPU model",
    fullDescription: `Bits that no mask mentions keep the value of the model. What QEMU cannot express is listed, and the command ends with 3. Only what changes the model is printed.

${grammar}

Examples:
  godwit cpu mask qemu --model Nehalem-v1 "cpuid.1.ecx=----:----:0---:----:----:----:----:----"
  godwit cpu mask qemu --model Westmere-v1,+pcid old-vm.vmx --host a --json`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      ...hostFlags,
      model: {
        kind: "parsed",
        parse: modelWithChanges,
        brief: "QEMU's model, like Nehalem-v1 or Nehalem-v1,+aes (default for per-VM EVC: its mode's)",
        optional: true,
      },
      "qemu-version": {
        kind: "parsed",
        parse: qemuVersion,
        brief: "Version of the QEMU that runs the VM, like 8.2 (default: 7.2)",
        optional: true,
      },
    },
    positional: masksArgument,
  },
  loader: async () => (await import("../../../cpu/mask.ts")).qemuFlagsOf,
});

/** `MODEL,+a,-b`. */
function modelWithChanges(text: string): VmCpu {
  const [model = "", ...changes] = text.split(",");
  const wrong = changes.find((change) => !/^[+-][a-z0-9][a-z0-9._-]*$/.test(change));
  if (!/^[A-Za-z0-9._-]+$/.test(model) || wrong !== undefined) {
    throw new SyntaxError(`expected a model and +feature or -feature after commas, not ${wrong ?? text}`);
  }
  const named = (sign: string) => changes.filter((one) => one.startsWith(sign)).map((one) => one.slice(1));
  return { model, add: named("+"), remove: named("-") };
}

function qemuVersion(text: string): string {
  if (/^\d+\.\d+(\.\d+)?$/.test(text)) return text;
  throw new SyntaxError(`expected a version like 8.2, not ${text}`);
}
