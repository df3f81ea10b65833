/** What a copy of a VM is asked to be. Pure. */
import {
  GodwitError,
  lunOf,
  seedDriveName,
  storedBus,
  storedModel,
  type Vm,
  type VmDescription,
} from "@godwit/contract";

export interface CloneToMake {
  /** Of the copy. */
  name: string;
  /** Where its folder and all of its disks are to lie; null: each where the VM has its own. */
  datastore: string | null;
}

/**
 * The same machine with disks that are copied from the VM's. It gets MAC addresses of its own; limits of the IP addresses that a
 * NIC may send from are not taken over, for they name the VM's. The seed for cloud-init, which names the VM, is left out. A TPM is a new one: no two VMs have
 * the same keys.
 * @throws DISK_IS_LUN
 */
export function cloneDescription(vm: Vm, { name, datastore }: CloneToMake): VmDescription {
  const home = datastore ?? vm.datastore;
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
  } = vm;
  const drives = cdroms.filter((drive) => drive.name !== seedDriveName);
  return {
    ...{ name, datastore: home, memoryMib, vcpus, machine },
    ...(cpuWish === undefined ? {} : { cpu: cpuWish }),
    disks: vm.disks.map(({ name: disk, datastore: on = vm.datastore, path, format, bus }) => {
      if (lunOf(path) !== null) throw GodwitError.of("DISK_IS_LUN", { vm: vm.name, disk, datastore: on });
      const to = datastore ?? on;
      return {
        ...{ name: disk, image: path, imageDatastore: on, format },
        ...(to === home ? {} : { datastore: to }),
        ...storedBus(bus),
      };
    }),
    nics: vm.nics.map(({ portGroup, model }) => ({ portGroup, ...storedModel(model) })),
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
    guestAgent: guestAgent === true,
  };
}
