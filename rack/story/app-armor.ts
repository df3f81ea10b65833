/**
 * QEMU under its AppArmor profile, on kernels that enforce it: loaded by the commands of docs/operators/install.md, the VM starts
 * under it and moves there and back. It stays loaded for what comes after.
 */
import { commandsOf } from "../src/handbook.ts";
import { switchOff } from "./fencing.ts";
import { movesThereAndBack } from "./moves.ts";
import type { AppArmorResult } from "./result.ts";
import type { Site } from "./site.ts";
import type { StoryVm } from "./story-vm.ts";

const confined = "godwit-qemu (enforce)";

export async function appArmor(
  site: Site,
  vm: StoryVm,
  say: (text: string) => void,
): Promise<AppArmorResult> {
  say("loading QEMU's AppArmor profile");
  const [copy = "", load = ""] = commandsOf(site.installPage, "Each host").filter((command) =>
    /^(cp|apparmor_parser) /.test(command),
  );
  if (copy === "" || load === "") throw new Error("the page on installation does not load the profile");
  for (const host of site.hosts) await host.shell(`${copy}\n${load.replace(" -C ", " ")}`);
  const { host: name } = await vm.view();
  await switchOff(site, vm);
  await site.command(`godwit vm start ${vm.name} --host ${name}`);
  const result: AppArmorResult = { moves: [], problems: [] };
  const look = async (): Promise<void> => {
    const { host } = await vm.view();
    const profile = await site.rack
      .server(host)
      .shell("cat /proc/$(pgrep -f 'qemu-system.*-uuid' | head -1)/attr/current");
    if (profile.trim() !== confined) result.problems.push(`on ${host} QEMU is under ${profile.trim()}`);
  };
  await look();
  for await (const move of movesThereAndBack(site, vm, say)) {
    result.moves.push(move);
    await look();
  }
  for (const { name: host } of site.hosts) {
    const { facts } = await site.api.call("hostShow", { params: { host } });
    const problem = facts?.containment?.appArmorProblem;
    if (problem !== null) result.problems.push(`${host} says: ${problem ?? "nothing of AppArmor"}`);
  }
  for (const problem of result.problems) say(`  PROBLEM: ${problem}`);
  return result;
}
