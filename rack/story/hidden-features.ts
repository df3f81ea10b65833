/**
 * A VM with a model that both processors have, on the newer, before there is a pool: KVM executes there what the guest is not shown and the older does
 * not have. Its move is allowed, with a warning.
 */
import type { Server } from "../src/server.ts";
import { switchOff } from "./fencing.ts";
import type { Site } from "./site.ts";
import type { StoryVm } from "./story-vm.ts";

const model = "Opteron_G1-v1";
/** What came with later generations, and no register of the guest's can switch off. */
const hidden = "ssse3";

/** Leaves the VM switched off. @returns problems */
export async function hiddenFeatures(
  site: Site,
  vm: StoryVm,
  [older, newer]: readonly [Server, Server],
  say: (text: string) => void,
): Promise<string[]> {
  const params = { vm: vm.name };
  const ask = async (cpu: { model: string; add: []; remove: [] } | null) => {
    const task = await vm.ended((await site.api.call("vmCpuSet", { params, body: { cpu } })).id);
    if (task.state !== "succeeded")
      throw new Error(`the VM's CPU cannot be set: ${task.error?.detail ?? task.state}`);
  };
  say(`starting the VM as ${model} on ${newer.name}`);
  await switchOff(site, vm);
  await ask({ model, add: [], remove: [] });
  try {
    await site.command(`godwit vm start ${vm.name} --host ${newer.name}`);
    const { allowed, findings } = await site.api.call("vmCheck", { params, body: { to: older.name } });
    const found = findings.find(({ code }) => code === "CPU_HIDDEN_FEATURES_DIFFER");
    say(`  the check for ${older.name}: ${found?.message ?? "no warning"}`);
    await switchOff(site, vm);
    return [
      ...(found?.severity === "warning" ? [] : ["nothing warns of hidden features"]),
      ...(found?.message.includes(hidden) === true ? [] : [`the warning does not name ${hidden}`]),
      ...(allowed ? [] : [`it may not move: ${findings.map(({ code }) => code).join(", ")}`]),
    ];
  } finally {
    await ask(null);
  }
}
