/** What a server of the rack is made of, and the command line of the QEMU that emulates it. Pure. */
import { macOf, networkNames, tapOf } from "./networks.ts";
import type { Suite } from "../../packaging/story/debian-root.ts";

export interface ServerSpec {
  name: string;
  /** The last part of its addresses, 11 to 99. */
  number: number;
  suite: Suite;
  memoryMib: number;
  /** As QEMU names it. It needs AMD's SVM, which is what QEMU emulates. */
  cpu: string;
  /** GiB of a second, empty disk. */
  dataGib: number;
}

/** AMD's first EPYC: the newest that QEMU emulates nearly whole. */
const defaultCpu = "EPYC";

/**
 * Two generations of AMD's servers. `fxsr-opt` and `misalignsse`, which QEMU does not emulate, are shown nevertheless: real ones
 * have them and EVC asks for them, but no system here sets the bits that make use of them. Of what else is not emulated
 * nothing is shown.
 */
const generations = {
  older: "Opteron_G3,+vme,+mmxext,+fxsr-opt,+misalignsse,x-force-features=on",
  newer: "EPYC-v1,-osvw,-topoext,-nrip-save,-xsavec,+vme,+fxsr-opt,+misalignsse,x-force-features=on",
} as const;

/** Where a server's files are, in its folder. */
export interface ServerFiles {
  disk: string;
  data: string;
  qmp: string;
  agent: string;
  serial: string;
  console: string;
  messages: string;
}

export function filesIn(folder: string): ServerFiles {
  return {
    disk: `${folder}/disk.qcow2`,
    data: `${folder}/data.raw`,
    qmp: `${folder}/qmp`,
    agent: `${folder}/agent`,
    serial: `${folder}/serial`,
    console: `${folder}/console.log`,
    messages: `${folder}/qemu.log`,
  };
}

export interface BootFiles {
  kernel: string;
  initrd: string;
}

const kernelWords = [
  "root=/dev/vda rw console=ttyS0 net.ifnames=0",
  // As servers of a data centre do, whom nobody sits before.
  "panic=5",
  // A busy machine takes processor time and timer interrupts from it, and it has no fault for that.
  "no_timer_check tsc=reliable nowatchdog rcupdate.rcu_cpu_stall_suppress=1",
  "mitigations=off audit=0",
];

/** @param incoming whether it waits for a saved state */
export function qemuArguments(
  spec: ServerSpec,
  files: ServerFiles,
  boot: BootFiles,
  incoming: boolean,
): string[] {
  const socket = (id: string, path: string) => `socket,id=${id},path=${path},server=on,wait=off`;
  // Without the host's flushes: what a server has written outlives its power cut, as with a controller that has a battery.
  const drive = (id: string, file: string, format: string) =>
    `if=none,id=${id},file=${file},format=${format},cache=unsafe,discard=unmap`;
  return [
    ...["-name", spec.name, "-nodefaults", "-no-user-config", "-display", "none"],
    ...["-machine", "q35,accel=tcg", "-cpu", `${spec.cpu},+svm,+npt`, "-smp", "1"],
    ...["-m", String(spec.memoryMib)],
    ...["-kernel", boot.kernel, "-initrd", boot.initrd],
    ...["-append", kernelWords.join(" ")],
    ...["-qmp", `unix:${files.qmp},server=on,wait=off`],
    ...["-chardev", `${socket("serial", files.serial)},logfile=${files.console},logappend=on`],
    ...["-serial", "chardev:serial"],
    ...["-device", "virtio-serial-pci", "-chardev", socket("agent", files.agent)],
    ...["-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"],
    ...["-device", "virtio-rng-pci"],
    ...["-drive", drive("disk", files.disk, "qcow2"), "-device", "virtio-blk-pci,drive=disk"],
    ...["-drive", drive("data", files.data, "raw"), "-device", "virtio-blk-pci,drive=data"],
    ...networkNames.flatMap((network) => [
      ...["-netdev", `tap,id=${network},ifname=${tapOf(network, spec.number)},script=no,downscript=no`],
      ...["-device", `virtio-net-pci,id=nic-${network},netdev=${network},mac=${macOf(network, spec.number)}`],
    ]),
    ...(incoming ? ["-incoming", "defer"] : []),
  ];
}

/** All servers have the same hardware, so that they start from one saved state. */
const dataGib = 4;

export interface HostOptions {
  memoryMib: number;
  /** Names of those with Debian 13. */
  trixie?: readonly string[];
  /** Whether the first has an older processor than the others. */
  twoGenerations?: boolean;
}

/** Hosts a, b, c…, of Debian 12 but for those that are named. */
export const defaultServers = (
  count: number,
  { memoryMib, trixie = [], twoGenerations = false }: HostOptions,
): ServerSpec[] =>
  hostNames.slice(0, count).map((name, index) => {
    const suite = trixie.includes(name) ? "trixie" : "bookworm";
    const generation = index === 0 ? generations.older : generations.newer;
    return {
      name,
      number: 11 + index,
      suite,
      memoryMib,
      cpu: twoGenerations ? generation : defaultCpu,
      dataGib,
    };
  });

/** For NFS and iSCSI. */
export const storageServer = (memoryMib: number): ServerSpec => ({
  name: storageName,
  number: storageNumber,
  suite: "bookworm",
  memoryMib,
  cpu: defaultCpu,
  dataGib,
});

const storageName = "storage";
const storageNumber = 31;
export const hostNames = ["a", "b", "c", "d", "e", "f", "g", "h"] as const;

/** The last part of each server's addresses, by its name. */
export const numbers: Readonly<Record<string, number>> = {
  ...Object.fromEntries(hostNames.map((name, index) => [name, 11 + index])),
  [storageName]: storageNumber,
};
