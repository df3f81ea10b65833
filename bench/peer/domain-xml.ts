/**
 * The lab's guest as a libvirt domain: the same machine as Godwit's, slot by slot, with nothing beside it
 * that libvirt adds of its own accord. Pure.
 */
import type { Vm } from "@godwit/contract";

/** What the guest's disk is: a file as its hosts see it, or a LUN that QEMU itself opens. */
export type DomainDisk =
  { kind: "file"; path: string } | { kind: "iscsi"; address: string; port: number; target: string };

export interface Domain {
  name: string;
  uuid: string;
  machine: string;
  cpuModel: string;
  accelerator: "kvm" | "tcg";
  memoryMib: number;
  vcpus: number;
  disk: DomainDisk;
  /** A second one, raw, in the slot behind the first's; absent: it has one disk. */
  second?: { path: string };
  /** Absolute paths as its hosts see them. */
  kernel: string;
  initrd: string;
  commandLine: string;
  bridge: string;
  mac: string;
  /** The QEMU; absent: the machine's own. */
  emulator?: string;
  /** A QMP socket beside libvirt's own, to ask QEMU itself whether it runs. */
  qmpSocket: string;
}

/** What a domain takes over from Godwit's VM. QEMU's versioned CPU models have libvirt's names without the version. */
export const machineOf = ({ machine, cpu, memoryMib, vcpus }: Vm) => ({
  machine,
  cpuModel: cpu.model.replace(/-v\d+$/, ""),
  memoryMib,
  vcpus,
});

export function domainXml(domain: Domain): string {
  const type = domain.accelerator === "kvm" ? "kvm" : "qemu";
  return `<domain type='${type}' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>${text(domain.name)}</name>
  <uuid>${domain.uuid}</uuid>
  <memory unit='MiB'>${String(domain.memoryMib)}</memory>
  <vcpu>${String(domain.vcpus)}</vcpu>
  <os>
    <type arch='x86_64' machine='${text(domain.machine)}'>hvm</type>
    <kernel>${text(domain.kernel)}</kernel>
    <initrd>${text(domain.initrd)}</initrd>
    <cmdline>${text(domain.commandLine)}</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='custom' match='exact' check='none'>
    <model fallback='forbid'>${text(domain.cpuModel)}</model>
    <topology sockets='1' cores='${String(domain.vcpus)}' threads='1'/>
  </cpu>
  <clock offset='utc'/>
  <devices>
    ${domain.emulator === undefined ? "" : `<emulator>${text(domain.emulator)}</emulator>`}
    ${diskXml(domain.disk)}
      <target dev='vda' bus='virtio'/>
      ${slot(3)}
    </disk>
    ${domain.second === undefined ? "" : secondXml(domain.second.path)}
    <interface type='bridge'>
      <mac address='${text(domain.mac)}'/>
      <source bridge='${text(domain.bridge)}'/>
      <model type='virtio'/>
      <driver name='qemu'/>
      <rom enabled='no'/>
      ${slot(27)}
    </interface>
    <rng model='virtio'>
      <backend model='random'>/dev/urandom</backend>
      ${slot(2)}
    </rng>
    <serial type='pty'/>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
  </devices>
  <qemu:commandline>
    <qemu:arg value='-qmp'/>
    <qemu:arg value='unix:${text(domain.qmpSocket)},server=on,wait=off'/>
  </qemu:commandline>
</domain>
`;
}

/** The beginning of the element, with what is behind the disk. */
const diskXml = (disk: DomainDisk): string =>
  disk.kind === "file"
    ? `<disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none' io='threads' discard='unmap'/>
      <source file='${text(disk.path)}'/>`
    : `<disk type='network' device='disk'>
      <driver name='qemu' type='raw' cache='none'/>
      <source protocol='iscsi' name='${text(disk.target)}/1'>
        <host name='${disk.address}' port='${String(disk.port)}'/>
      </source>`;

const secondXml = (path: string): string =>
  `<disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='none' io='threads' discard='unmap'/>
      <source file='${text(path)}'/>
      <target dev='vdb' bus='virtio'/>
      ${slot(4)}
    </disk>`;

const slot = (number: number): string =>
  `<address type='pci' domain='0' bus='0' slot='${String(number)}' function='0'/>`;

const text = (value: string): string =>
  value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("'", "&apos;");
