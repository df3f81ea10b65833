/**
 * Which VM has each device of this host, or is about to have it. Decided here, at once and one start after the other: of two VMs that are started at the
 * same moment with one device, one is refused. Devices of one IOMMU group are one VM's, for VFIO opens a group once.
 */
import { hostDeviceText, type HostDevice, type HostDeviceFacts, type Vm, type VmId } from "@godwit/contract";
import { hasHostDeviceSlots } from "@godwit/hypervisor";
import { hostDeviceFacts } from "./host-device-facts.ts";
import { mustBeUsable, unusable } from "./host-devices.ts";

type Holder = Pick<Vm, "id" | "name" | "hostDevices">;

export interface HostDeviceSources {
  host: string;
  processes: { readonly present: readonly { spec: { vm: Holder } }[] };
  /** VMs whose processes may run and do not answer: what they have is not known. */
  unanswering: () => readonly { id: VmId; name: string }[];
  look?: () => HostDeviceFacts;
}

export class HostDeviceAdmission {
  readonly #sources: HostDeviceSources;
  readonly #granted = new Map<VmId, Holder>();

  constructor(sources: HostDeviceSources) {
    this.#sources = sources;
  }

  /** Until disposed; from when its process is in the list, that has them. @param vm as it is powered on @throws HOST_DEVICE_MISSING, HOST_DEVICE_UNUSABLE */
  reserve(vm: Vm): Disposable {
    const { host, processes, unanswering, look = hostDeviceFacts } = this.#sources;
    const { id, hostDevices: devices = [] } = vm;
    const of = { vm: vm.name, host };
    const facts = devices.length === 0 ? { pci: [], usb: [] } : look();
    const others = [...processes.present.map(({ spec }) => spec.vm), ...this.#granted.values()];
    for (const device of devices) {
      mustBeUsable(device, facts, of);
      const [silent] = unanswering().filter((one) => one.id !== id);
      if (silent !== undefined)
        throw unusable(device, of, `VM ${silent.name} does not answer there, and may have it`);
      for (const other of others) {
        const taken = other.id === id ? undefined : takenBy(other, device, facts);
        if (taken !== undefined) throw unusable(device, of, taken);
      }
      if (!hasHostDeviceSlots(vm))
        throw unusable(device, of, "its disks, NICs and devices need more PCI slots than there are");
    }
    this.#granted.set(id, vm);
    return {
      [Symbol.dispose]: () => {
        this.#granted.delete(id);
      },
    };
  }
}

/** Why a VM that has what another asks for keeps it; undefined: it has nothing of it. */
function takenBy(holder: Holder, device: HostDevice, { pci }: HostDeviceFacts): string | undefined {
  const groupOf = (address: string) => pci.find((one) => one.address === address)?.group ?? null;
  for (const had of holder.hostDevices ?? []) {
    if ("usb" in device) {
      if ("usb" in had && had.usb === device.usb) return `VM ${holder.name} has it`;
    } else if ("pci" in had) {
      if (had.pci === device.pci) return `VM ${holder.name} has it`;
      const group = groupOf(device.pci);
      if (group !== null && groupOf(had.pci) === group)
        return `VM ${holder.name} has ${hostDeviceText(had)} of the same IOMMU group`;
    }
  }
  return undefined;
}
