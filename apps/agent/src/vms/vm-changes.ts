/** A VM's description with changes made to it. Pure. */
import {
  balloonOf,
  balloonProblems,
  bootOrderProblems,
  changesBalloon,
  changesMaximum,
  changesMemory,
  drivesOf,
  GodwitError,
  maxMemoryOf,
  maxMemoryProblems,
  memoryLayoutOf,
  memoryProblems,
  mostTags,
  storedAnnotations,
  withTags,
  type Cdrom,
  type HostDevice,
  type HostDeviceDescription,
  type CdromChange,
  type Vm,
  type VmChanges,
} from "@godwit/contract";

/** @throws CDROM_UNKNOWN, CDROM_EMPTY, VM_TAGS_TOO_MANY, VM_DESCRIPTION_INVALID */
export function changed(vm: Vm, changes: VmChanges): Vm {
  const machine = withHostDevices(withBootOrder(machineChanged(vm, changes), changes), changes);
  return annotated(withBalloon(withMaximum(machine, changes), changes), changes);
}

/** @throws VM_DESCRIPTION_INVALID */
function withMemory(vm: Vm, changes: VmChanges): Vm {
  const { memoryMib, vcpus, hugepages, numa, topology } = memoryLayoutOf(vm, changes);
  const { hugepages: _hugepages, numa: _numa, topology: _topology, ...rest } = vm;
  const layout = {
    ...{ memoryMib, vcpus },
    ...(hugepages === undefined ? {} : { hugepages }),
    ...(numa === undefined ? {} : { numa: [...numa] }),
    ...(topology === undefined ? {} : { topology }),
  };
  mustFit(vm, changesMemory(changes) ? memoryProblems(layout) : []);
  return { ...rest, ...layout };
}

/** @throws VM_DESCRIPTION_INVALID */
function withBootOrder({ bootOrder: before, ...rest }: Vm, { bootOrder }: VmChanges): Vm {
  const after = bootOrder === undefined ? before : (bootOrder ?? undefined);
  const vm = { ...rest, ...(after === undefined ? {} : { bootOrder: after }) };
  mustFit(vm, bootOrder === undefined ? [] : bootOrderProblems(vm));
  return vm;
}

/** Memory and devices of the host are changed already. @throws VM_DESCRIPTION_INVALID */
function withMaximum(vm: Vm, changes: VmChanges): Vm {
  const { maxMemoryMib: _before, ...rest } = vm;
  const maxMemoryMib = maxMemoryOf(vm, changes);
  const after = { ...rest, ...(maxMemoryMib === undefined ? {} : { maxMemoryMib }) };
  if (changesMaximum(changes)) mustFit(after, maxMemoryProblems(after));
  return after;
}

/** All else is changed already. @throws VM_DESCRIPTION_INVALID */
function withBalloon(vm: Vm, changes: VmChanges): Vm {
  const { balloon: _before, ...rest } = vm;
  const balloon = balloonOf(vm, changes);
  const after = { ...rest, ...(balloon === undefined ? {} : { balloon }) };
  if (changesBalloon(changes)) mustFit(after, balloonProblems(after));
  return after;
}

/** @throws VM_DESCRIPTION_INVALID */
function mustFit({ name }: Vm, problems: readonly { path: readonly string[]; message: string }[]): void {
  if (problems.length === 0) return;
  throw GodwitError.of("VM_DESCRIPTION_INVALID", {
    source: `of VM ${name}`,
    problems: problems.map(({ path, message }) => `${path.join(".")}: ${message}`),
  });
}

/** Whether tags and notes only are changed, which are no part of the machine. */
export const changesAnnotationsOnly = ({ tags: _tags, notes: _notes, ...others }: VmChanges): boolean =>
  Object.keys(others).length === 0;

function found(device: HostDeviceDescription): HostDevice {
  if ("usb" in device) return device;
  if (device.id === undefined) throw new TypeError(`what is at ${device.pci} was not found out`);
  return { ...device, id: device.id };
}

/** What is at each address is found out before. */
function withHostDevices({ hostDevices: before, ...rest }: Vm, { hostDevices }: VmChanges): Vm {
  const after = hostDevices === undefined ? (before ?? []) : hostDevices.map(found);
  return { ...rest, ...(after.length === 0 ? {} : { hostDevices: after }) };
}

function annotated(
  { tags: tagsBefore, notes: notesBefore, ...rest }: Vm,
  { tags, notes = notesBefore ?? null }: VmChanges,
): Vm {
  const after = withTags(tagsBefore ?? [], tags ?? {});
  if (after.length > mostTags) throw GodwitError.of("VM_TAGS_TOO_MANY", { vm: rest.name, most: mostTags });
  return { ...rest, ...storedAnnotations({ tags: after, notes: notes ?? undefined }) };
}

function machineChanged(vm: Vm, { cpuWish, cpuAffinity, tpm, ...changes }: VmChanges): Vm {
  const {
    cpuWish: wishBefore,
    cpuAffinity: affinityBefore,
    cdroms,
    tpm: tpmBefore,
    ...rest
  } = withMemory(vm, changes);
  const hasTpm = tpm ?? tpmBefore === true;
  const wish = cpuWish === undefined ? wishBefore : (cpuWish ?? undefined);
  const affinity = cpuAffinity === undefined ? affinityBefore : (cpuAffinity ?? undefined);
  const drives = drivesOf(changes).reduce<Cdrom[] | undefined>(
    (before, change) => withDrive({ name: vm.name, cdroms: before }, change),
    cdroms,
  );
  return {
    ...rest,
    ...(wish === undefined ? {} : { cpuWish: wish }),
    ...(drives === undefined ? {} : { cdroms: drives }),
    ...(affinity === undefined ? {} : { cpuAffinity: affinity }),
    ...(hasTpm ? { tpm: hasTpm } : {}),
  };
}

function withDrive({ name: vm, cdroms = [] }: Pick<Vm, "name" | "cdroms">, change: CdromChange): Cdrom[] {
  const drive = cdroms.find(({ name }) => name === change.name);
  if (drive === undefined)
    throw GodwitError.of("CDROM_UNKNOWN", { vm, drive: change.name, known: cdroms.map(({ name }) => name) });
  const medium = change.medium ?? drive.medium;
  if (change.connected && medium === null) throw GodwitError.of("CDROM_EMPTY", { vm, drive: drive.name });
  const after = { ...drive, medium, connected: change.connected };
  return cdroms.map((one) => (one === drive ? after : one));
}
