/** What a copy of a VM is asked to be. Pure. */
import {
  keptBootOrder,
  nicNumber,
  GodwitError,
  lunOf,
  seedDriveName,
  storedAnnotations,
  storedBus,
  storedModel,
  type Vm,
  type VmDescription,
} from "@godwit/contract";

export interface CloneToMake {
  /** Of the copy. */
  name: string;
  /** Where all of its disks are to lie, and its folder, unless that datastore has none; null: each where the VM has its own. */
  datastore: string | null;
  /** Those of the datastores on which disks are volumes. */
  volumeGroups: ReadonlySet<string>;
  /** Its disks share bases with the VM's, which have them by now. Absent: they are copied in full. */
  linked?: boolean | undefined;
}

/**
 * The same machine with disks that are copied from the VM's. It gets MAC addresses of its own; limits of the IP addresses that a
 * NIC may send from are not taken over, for they name the VM's. The seed for cloud-init, which names the VM, is left out. A TPM is a new one: no two VMs have
 * the same keys. Devices of the host are left out: each is one VM's.
 * @throws DISK_IS_LUN
 */
export function cloneDescription(
  vm: Vm,
  { name, datastore, volumeGroups, linked = false }: CloneToMake,
): VmDescription {
  const home = datastore === null || volumeGroups.has(datastore) ? vm.datastore : datastore;
  const {
    memoryMib,
    vcpus,
    machine,
    cpuWish,
    cpuAffinity,
    boot,
    firmware,
    guestAgent,
    cdroms = [],
    tpm,
    hugepages,
    numa,
    topology,
    balloon,
    maxMemoryMib,
  } = vm;
  const drives = cdroms.filter((drive) => drive.name !== seedDriveName);
  const { bootOrder } = bootOrderOf({ ...vm, cdroms: drives });
  return {
    ...{ name, datastore: home, memoryMib, vcpus, machine },
    ...(cpuWish === undefined ? {} : { cpu: cpuWish }),
    disks: vm.disks.map(({ name: disk, datastore: on = vm.datastore, path, format, bus }) => {
      if (lunOf(path) !== null) throw GodwitError.of("DISK_IS_LUN", { vm: vm.name, disk, datastore: on });
      const to = datastore ?? on;
      return {
        ...{ name: disk, image: path, imageDatastore: on },
        ...(volumeGroups.has(to) && format !== "raw" ? { format: "raw", imageFormat: format } : { format }),
        ...(to === home ? {} : { datastore: to }),
        ...(linked ? { linked } : {}),
        ...storedBus(bus),
      };
    }),
    nics: vm.nics.map(({ portGroup, model, connected }) => ({
      ...{ portGroup, ...storedModel(model) },
      ...(connected === undefined ? {} : { connected }),
    })),
    ...(drives.length === 0
      ? {}
      : {
          cdroms: drives.map(({ name: drive, medium, connected, bus }) => ({
            ...{ name: drive, connected },
            ...(medium === null ? {} : { iso: medium.path, datastore: medium.datastore }),
            ...(bus === undefined ? {} : { bus }),
          })),
        }),
    ...(cpuAffinity === undefined ? {} : { cpuAffinity }),
    ...(boot === undefined ? {} : { boot }),
    ...(firmware === undefined ? {} : { firmware: firmware.type, secureBoot: firmware.secureBoot }),
    ...(tpm === undefined ? {} : { tpm }),
    ...(hugepages === undefined ? {} : { hugepages }),
    ...(numa === undefined ? {} : { numa }),
    ...(topology === undefined ? {} : { topology }),
    ...(balloon === undefined ? {} : { balloon }),
    ...(maxMemoryMib === undefined ? {} : { maxMemoryMib }),
    ...(bootOrder === undefined ? {} : { bootOrder }),
    guestAgent: guestAgent === true,
    ...storedAnnotations(vm),
  };
}

/** NICs of the copy are numbered by their positions. */
const bootOrderOf = (vm: Vm): Pick<Vm, "bootOrder"> => {
  const { bootOrder } = keptBootOrder(vm);
  if (bootOrder === undefined) return {};
  const positions = new Map(
    vm.nics.map((nic, position) => [`nic:${String(nicNumber(nic, position))}`, `nic:${String(position)}`]),
  );
  return { bootOrder: bootOrder.map((device) => positions.get(device) ?? device) };
};
