/** A VM's description with changes made to it. Pure. */
import { GodwitError, type Cdrom, type CdromChange, type Vm, type VmChanges } from "@godwit/contract";

/** @throws CDROM_UNKNOWN, CDROM_EMPTY */
export function changed(vm: Vm, { cpuWish, cpuAffinity, cdrom, tpm }: VmChanges): Vm {
  const { cpuWish: wishBefore, cpuAffinity: affinityBefore, cdroms, tpm: tpmBefore, ...rest } = vm;
  const hasTpm = tpm ?? tpmBefore === true;
  const wish = cpuWish === undefined ? wishBefore : (cpuWish ?? undefined);
  const affinity = cpuAffinity === undefined ? affinityBefore : (cpuAffinity ?? undefined);
  const drives = cdrom === undefined ? cdroms : withDrive(vm, cdrom);
  return {
    ...rest,
    ...(wish === undefined ? {} : { cpuWish: wish }),
    ...(drives === undefined ? {} : { cdroms: drives }),
    ...(affinity === undefined ? {} : { cpuAffinity: affinity }),
    ...(hasTpm ? { tpm: hasTpm } : {}),
  };
}

function withDrive({ name: vm, cdroms = [] }: Vm, change: CdromChange): Cdrom[] {
  const drive = cdroms.find(({ name }) => name === change.name);
  if (drive === undefined)
    throw GodwitError.of("CDROM_UNKNOWN", { vm, drive: change.name, known: cdroms.map(({ name }) => name) });
  const medium = change.medium ?? drive.medium;
  if (change.connected && medium === null) throw GodwitError.of("CDROM_EMPTY", { vm, drive: drive.name });
  const after = { ...drive, medium, connected: change.connected };
  return cdroms.map((one) => (one === drive ? after : one));
}
