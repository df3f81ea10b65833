/**
 * What lies in the VM's CD-ROM drives is there at the destination too. As vSphere has it, a drive that is connected forbids
 * the move of a VM that runs; of one that is not connected, or of a VM that does not run, its owner is warned.
 */
import { finding, type Finding, type HostFacts, type HostLoad, type Vm } from "@godwit/contract";
import type { ColdRequirement, Requirement } from "../facts.ts";

interface Places {
  vm: Vm;
  /** Null: it never reported. */
  source: HostFacts | null;
  target: HostFacts;
  targetLoad: HostLoad;
}

export const cdrom: Requirement = (facts) =>
  findingsOf(facts, ({ connected }) => (connected ? "error" : "warning"));

export const cdromAtRest: ColdRequirement = (facts) => findingsOf(facts, () => "warning");

function findingsOf(
  { vm, source, target, targetLoad }: Places,
  severityOf: (drive: { connected: boolean }) => Finding["severity"],
): Finding[] {
  return (vm.cdroms ?? []).flatMap(({ name: drive, medium, connected }) => {
    if (medium === null) return [];
    const details = { vm: vm.name, drive, ...medium, connected };
    const severity = severityOf({ connected });
    const here = source?.datastores.find(({ name }) => name === medium.datastore);
    if (source !== null && here?.shared === false)
      return [finding("CDROM_HOST_LOCAL", { ...details, host: source.name }, severity)];
    const reason = unreachable(medium.datastore, here?.id ?? null, target, targetLoad);
    return reason === null
      ? []
      : [finding("CDROM_UNREACHABLE", { ...details, host: target.name, reason }, severity)];
  });
}

/** Why the destination does not have the datastore; null: it has. @param id as the source read it; null: not known */
function unreachable(
  datastore: string,
  id: string | null,
  { datastores }: HostFacts,
  load: HostLoad,
): string | null {
  const there = datastores.find(({ name }) => name === datastore);
  if (there === undefined) return "it has no such datastore";
  const now = load.datastores.find(({ name }) => name === datastore);
  if (there.id === null || now?.space == null) return now?.reason ?? "its agent did not say why";
  if (!there.shared) return "the datastore of that name is local to it";
  return id !== null && id !== there.id ? "the datastore of that name is another one there" : null;
}
