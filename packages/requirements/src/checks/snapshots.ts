/**
 * Snapshots move with the VM's disks, which they lie in. The destination's agent must know of them; what a revert would need
 * there is told as a warning, for the VM may move all the same.
 */
import { finding, type Finding, type Snapshot } from "@godwit/contract";
import { offers } from "../cpu-features.ts";
import type { ColdRequirement } from "../facts.ts";
import { memoryProblem } from "../snapshot-fit.ts";

export const snapshots: ColdRequirement = ({ vm, target }): Finding[] => {
  const complete = (vm.snapshots ?? []).filter(({ unfinished }) => unfinished === undefined);
  if (vm.snapshots === undefined) return [];
  const { name: host, abilities = [], agentVersion: version } = target;
  if (!abilities.includes("snapshots"))
    return [finding("AGENT_CANNOT", { host, version, what: "make snapshots of VMs" })];
  return complete.flatMap((snapshot) => {
    const lacking = lackingAt(target, snapshot);
    return lacking.length === 0
      ? []
      : [finding("SNAPSHOT_LACKS_THERE", { vm: vm.name, snapshot: snapshot.name, host, lacking }, "warning")];
  });
};

type Target = Parameters<ColdRequirement>[0]["target"];

function lackingAt({ qemu, portGroups, datastores }: Target, snapshot: Snapshot): string[] {
  const { machine, nics, cdroms = [], cpu } = snapshot.vm;
  const memory = snapshot.memory === null ? null : memoryProblem(snapshot, qemu);
  const offered = offers(qemu);
  const features = snapshot.memory === null ? [] : (cpu.features ?? []).filter((name) => !offered(name));
  const groups = new Set(nics.map(({ portGroup }) => portGroup));
  const media = cdroms.flatMap(({ medium, connected }) => (connected && medium !== null ? [medium] : []));
  return [
    ...(qemu.machines.includes(machine) ? [] : [`machine type ${machine}`]),
    ...(memory === null || !qemu.machines.includes(machine) ? [] : [`for its memory, ${memory}`]),
    ...(features.length === 0 ? [] : [`for its memory, the CPU features ${features.join(", ")}`]),
    ...[...groups]
      .filter((group) => !portGroups.some(({ name }) => name === group))
      .map((group) => `port group ${group}`),
    ...media
      .filter((medium) => !datastores.some(({ name }) => name === medium.datastore))
      .map(({ datastore, path }) => `${path} on datastore ${datastore}`),
  ];
}
