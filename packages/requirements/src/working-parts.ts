/** What of a host works now, each part by its name: what it had before it was changed it is to have afterwards. Pure. */
import type { HostReport } from "./facts.ts";
import { healthState } from "./host-health.ts";

/** As parts of a sentence, like `datastore shared`. */
export function workingParts({ facts, load }: HostReport): string[] {
  const { qemu, migration } = facts;
  return [
    ...(qemu.accelerator === "kvm" ? ["KVM"] : []),
    ...(migration === null ? [] : ["its migration network"]),
    ...load.datastores.flatMap(({ name, reason, readOnly, leases }) => [
      ...(reason === null ? [`datastore ${name}`] : []),
      ...(reason === null && readOnly !== true ? [`writing to datastore ${name}`] : []),
      ...(leases?.state === "joined" ? [`its leases on datastore ${name}`] : []),
    ]),
    ...(load.portGroups ?? []).flatMap(({ name, state, uplinkUp }) =>
      state === "internal" || uplinkUp ? [`port group ${name}`] : [],
    ),
    ...(healthState(load) === "severe" ? [] : ["its hardware"]),
  ];
}
