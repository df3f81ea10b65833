/** `godwit vm set-cpu` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { runTask } from "../../run-task.ts";
import { jsonFlag, vmArgument, type JsonFlags } from "../common.ts";

export const setCpuCommand = buildCommand({
  docs: {
    brief: "Set the CPU that a VM has from its next power-on",
    fullDescription: `Without a flag, the VM follows its pool's EVC mode or, if there is none, its host. A running VM keeps its
CPU until it is powered off. Masks are vSphere's: KEY=VALUE, or a .vmx file that contains some.

Examples:
  godwit vm set-cpu web-1 --evc intel-westmere
  godwit vm set-cpu web-1 --mask web-1.vmx
  godwit vm set-cpu web-1 --mask featMask.vm.cpuid.AES=Val:0
  godwit vm set-cpu web-1`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      evc: { kind: "parsed", parse: String, brief: "EVC mode of this VM", optional: true },
      model: { kind: "parsed", parse: String, brief: "QEMU CPU model", optional: true },
      mask: {
        kind: "parsed",
        parse: String,
        variadic: true,
        brief: "KEY=VALUE, or a .vmx file",
        optional: true,
      },
    },
    positional: vmArgument,
  },
  async func(flags: JsonFlags & { evc?: string; model?: string; mask?: readonly string[] }, vm: string) {
    const masks = flags.mask === undefined ? undefined : await masksOf(flags.mask);
    const isReset = flags.evc === undefined && flags.model === undefined && masks === undefined;
    const body = { cpu: isReset ? null : { evcMode: flags.evc, model: flags.model, masks } };
    await withApi((api) =>
      runTask(
        api,
        api.call("vmCpuSet", { params: { vm }, body }),
        flags,
        `VM ${vm} has this CPU from its next power-on.`,
      ),
    );
  },
});

async function masksOf(given: readonly string[]): Promise<Record<string, string>> {
  const [{ maskEntries }, { masksFrom }] = await Promise.all([
    import("@godwit/cpu"),
    import("../../cpu/mask-arguments.ts"),
  ]);
  return Object.fromEntries(maskEntries(await masksFrom(given)));
}
