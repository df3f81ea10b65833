/**
 * A VM's description as QEMU's argument vector. The same description gives the same machine, slot by
 * slot, at a move's source and destination. Nothing is left to QEMU's defaults or to the host's files,
 * and the vCPUs never start by themselves (`-S`): permission to run is given later, by the host that holds the lease.
 * Strings that could be taken for an option are refused.
 */
import { cdromId, mediumNode, mediumNodes } from "./cdrom-drives.ts";
import { diskDevices } from "./disk-devices.ts";
import { diskNodeNames, diskNodes, fileStorage, type StorageOptions } from "./disk-nodes.ts";
import { firmwareNodes, machineOptions, secureFirmware } from "./uefi.ts";
import { checkLaunchSpec, runDescriptors, type LaunchSpec } from "./launch-spec.ts";

/** First PCI slots of disks and NICs; the others are fixed below them. A VM's addresses never change: its guest and its moves go by them. */
const rngSlot = 2;
const firstDiskSlot = 3;
const firstNicSlot = 27;
const guestAgentSlot = 28;
/** The functions of one slot, for the NICs of a VM whose disks have their slots. */
const sharedNicSlot = 29;
const cdromBusSlot = 30;
/** Controllers: a dot is in no name that people choose, so no disk has such an id. */
const cdromBus = "cdroms.bus";
const portsBus = "ports.bus";
/** QEMU's name of the descriptor that takes what the serial console says. */
const serialLogSet = "1";

export interface CommandLineOptions {
  /** Where QEMU finds its firmware, when not in its own place. */
  firmwareFolder?: string;
}

/** @throws VM_DESCRIPTION_INVALID */
export function commandLine(spec: LaunchSpec, options: CommandLineOptions = {}): string[] {
  checkLaunchSpec(spec);
  const { vm } = spec;
  return [
    ...["-name", `guest=${vm.name},debug-threads=on`],
    ...["-uuid", vm.id],
    ...(options.firmwareFolder === undefined ? [] : ["-L", options.firmwareFolder]),
    ...["-no-user-config", "-nodefaults"],
    ...firmwareNodes(spec).flatMap((node) => ["-blockdev", JSON.stringify(node)]),
    ...["-machine", `${vm.machine},usb=off,dump-guest-core=off,graphics=off${machineOptions(spec)}`],
    ...secureFirmware(spec),
    ...["-accel", spec.accelerator],
    ...["-cpu", cpuArgument(spec)],
    ...["-smp", `${String(vm.vcpus)},sockets=1,cores=${String(vm.vcpus)},threads=1`],
    ...["-m", `size=${String(vm.memoryMib)}M`],
    ...["-S"],
    // A guest that switches itself off, or panics, leaves its QEMU standing: whoever looks next sees why.
    ...["-action", "shutdown=pause,panic=pause"],
    ...(spec.incoming ? ["-incoming", "defer"] : []),
    ...["-display", "none", "-vga", "none"],
    ...["-rtc", "base=utc"],
    ...["-boot", "strict=on"],
    ...["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
    ...["-msg", "timestamp=on"],
    ...socket("qmp", runDescriptors.qmp),
    ...["-mon", "chardev=qmp,mode=control"],
    ...socket("rescue", runDescriptors.rescue),
    ...["-mon", "chardev=rescue,mode=control"],
    ...["-add-fd", `fd=${String(runDescriptors.serialLog)},set=${serialLogSet}`],
    ...socket("serial0", runDescriptors.serialSocket, `,logfile=/dev/fdset/${serialLogSet},logappend=on`),
    ...["-device", "isa-serial,chardev=serial0"],
    ...["-object", "rng-random,id=rng0,filename=/dev/urandom"],
    ...["-device", `virtio-rng-pci,rng=rng0,${slot(spec, rngSlot)}`],
    ...disks(spec),
    ...cdroms(spec),
    ...nics(spec),
    ...guestAgent(spec),
    ...tpm(spec),
    ...boot(spec),
  ];
}

/** The model with its additions and removals, and `enforce`: QEMU refuses to start with less. */
function cpuArgument({ vm }: LaunchSpec): string {
  const { model, add, remove } = vm.cpu;
  return [model, ...add.map((name) => `${name}=on`), ...remove.map((name) => `${name}=off`), "enforce"].join(
    ",",
  );
}

function disks(spec: LaunchSpec): string[] {
  const devices = diskDevices(spec.vm.disks, (index) => slot(spec, firstDiskSlot + index));
  return spec.vm.disks.flatMap((disk, index) => {
    const nodes = diskNodes(diskNodeNames(disk.name)[0], disk.format, storageOf(spec, disk.name));
    const { controller, device } = devices[index] as (typeof devices)[number];
    // A guest whose disk fails stands still instead of losing its file systems, and tries again when it goes on.
    const how = `drive=${diskNodeNames(disk.name)[0].format},id=${disk.name},werror=stop,rerror=stop`;
    const first = index === 0 && spec.vm.boot === undefined ? ",bootindex=0" : "";
    return [
      ...nodes.flatMap((node) => ["-blockdev", JSON.stringify(node)]),
      ...(controller === null ? [] : ["-device", controller]),
      ...["-device", `${device.driver},${how},${device.place}${first}`],
    ];
  });
}

/** What a disk is on: a file, or a LUN of which QEMU itself is the client. */
function storageOf({ diskPaths, luns }: LaunchSpec, disk: string): StorageOptions {
  const lun = luns[disk];
  if (lun !== undefined) {
    const { portal, target, lun: number, initiator } = lun;
    return { driver: "iscsi", transport: "tcp", portal, target, lun: number, "initiator-name": initiator };
  }
  const filename = diskPaths[disk];
  if (filename === undefined) throw new TypeError(`no place for disk ${disk}`);
  return fileStorage(filename);
}

/** Booted from where no disk can be. A drive's place on its bus goes by its place among all drives. */
function cdroms(spec: LaunchSpec): string[] {
  const { vm, mediumPaths } = spec;
  const drives = vm.cdroms ?? [];
  const controller = drives.some(({ bus }) => bus === "virtio-scsi")
    ? ["-device", `virtio-scsi-pci,id=${cdromBus},${slot(spec, cdromBusSlot)}`]
    : [];
  const devices = drives.flatMap((drive, index) => {
    const path = mediumPaths[drive.name];
    const medium = path === undefined ? [] : mediumNodes(drive.name, path);
    const inside = path === undefined ? "" : `,drive=${mediumNode(drive.name)}`;
    const place =
      drive.bus === "virtio-scsi"
        ? `scsi-cd,id=${cdromId(drive.name)},bus=${cdromBus}.0,scsi-id=${String(index)}`
        : `ide-cd,id=${cdromId(drive.name)},${idePlace(spec, index)}`;
    return [
      ...medium.flatMap((node) => ["-blockdev", JSON.stringify(node)]),
      "-device",
      `${place}${inside}${vm.boot === undefined ? `,bootindex=${String(index + 1)}` : ""}`,
    ];
  });
  return [...controller, ...devices];
}

/** On the bus that the machine has anyway: AHCI has one for each drive, the older controller two with two drives each. */
function idePlace({ vm }: LaunchSpec, index: number): string {
  const [bus, unit] = vm.machine.startsWith("pc-q35") ? [index, 0] : [Math.floor(index / 2), index % 2];
  return `bus=ide.${String(bus)},unit=${String(unit)}`;
}

function nics(spec: LaunchSpec): string[] {
  return spec.taps.flatMap(({ interfaceName, mac }, index) => [
    ...["-netdev", `tap,id=net${String(index)},ifname=${interfaceName},script=no,downscript=no,vhost=off`],
    ...[
      "-device",
      `${spec.vm.nics[index]?.model ?? "virtio-net-pci"},netdev=net${String(index)},mac=${mac},romfile=,${nicAddress(spec, index)}`,
    ],
  ]);
}

/** NICs grow downwards until they meet the disks, and go on as functions of one slot: 24 disks and 8 NICs have room. */
function nicAddress(spec: LaunchSpec, index: number): string {
  const firstFree = firstDiskSlot + spec.vm.disks.length;
  const own = firstNicSlot - index;
  if (own >= firstFree) return slot(spec, own);
  const inSlots = Math.max(0, firstNicSlot - firstFree + 1);
  return `${slot(spec, sharedNicSlot)}.${String(index - inSlots)},multifunction=on`;
}

function guestAgent(spec: LaunchSpec): string[] {
  if (spec.vm.guestAgent !== true) return [];
  return [
    ...socket("guest-agent", runDescriptors.guestAgent),
    ...["-device", `virtio-serial-pci,id=${portsBus},max_ports=2,${slot(spec, guestAgentSlot)}`],
    ...["-device", `virtserialport,bus=${portsBus}.0,nr=1,chardev=guest-agent,name=org.qemu.guest_agent.0`],
  ];
}

/** The other end of the descriptor has the TPM's process. */
const tpm = (spec: LaunchSpec): string[] =>
  spec.tpm === undefined
    ? []
    : [
        ...["-chardev", `socket,id=tpm,fd=${String(runDescriptors.tpm)}`],
        ...["-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-crb,tpmdev=tpm0"],
      ];

function boot({ vm, kernelPath, initrdPath }: LaunchSpec): string[] {
  if (vm.boot === undefined || kernelPath === null) return [];
  return [
    ...["-kernel", kernelPath],
    ...(initrdPath === null ? [] : ["-initrd", initrdPath]),
    ...["-append", vm.boot.commandLine],
  ];
}

/** Each device has its own PCI slot for the VM's life. Disks grow upwards, NICs downwards. */
function slot({ vm }: LaunchSpec, number: number): string {
  const bus = vm.machine.startsWith("pc-q35") ? "pcie.0" : "pci.0";
  return `bus=${bus},addr=0x${number.toString(16)}`;
}

/** One that listens already. */
function socket(id: string, descriptor: number, more = ""): string[] {
  return ["-chardev", `socket,id=${id},fd=${String(descriptor)},server=on,wait=off${more}`];
}
