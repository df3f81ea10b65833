/**
 * A VM's description as QEMU's argument vector. The same description gives the same machine, slot by
 * slot, at a move's source and destination. Nothing is left to QEMU's defaults or to the host's files,
 * and the vCPUs never start by themselves (`-S`): permission to run is given later, by the host that holds the lease.
 * Strings that could be taken for an option are refused.
 */
import { nicNumber } from "@godwit/contract";
import { balloonArguments } from "./balloon.ts";
import { bootIndex } from "./boot-order.ts";
import { chapObjects, chapOptions } from "./chap.ts";
import { cdromId, mediumNode, mediumNodes } from "./cdrom-drives.ts";
import { addressOf, diskErrors, nicDevice, nicNetdev, rootPorts, slotAddress } from "./device-options.ts";
import { placesOf } from "./device-places.ts";
import { diskDevices, type DeviceOptions } from "./disk-devices.ts";
import { allNodes, diskNodeNames, hostStorage, type StorageOptions } from "./disk-nodes.ts";
import { hostDeviceArguments } from "./host-devices.ts";
import { memoryArguments, memoryOfMachine, topology } from "./guest-memory.ts";
import { memoryDeviceArguments } from "./memory-devices.ts";
import { firmwareNodes, machineOptions, secureFirmware } from "./uefi.ts";
import { checkLaunchSpec, runDescriptors, type LaunchSpec } from "./launch-spec.ts";

/** PCI slots beside those of `device-places.ts`. A VM's addresses never change: its guest and its moves go by them. */
const rngSlot = 2;
const guestAgentSlot = 28;
const cdromBusSlot = 30;
/** Controllers: a dot is in no name that people choose, so no disk has such an id. */
const cdromBus = "cdroms.bus";
const portsBus = "ports.bus";
/** QEMU's name of the descriptor that takes what the serial console says. */
const serialLogSet = "1";

export interface CommandLineOptions {
  /** Where QEMU finds its firmware, when not in its own place. */
  firmwareFolder?: string;
  /** In which secrets lie while it starts. */
  runFolder?: string;
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
    ...[
      "-machine",
      `${vm.machine},usb=off,dump-guest-core=off,graphics=off${machineOptions(spec)}${memoryOfMachine(vm)}`,
    ],
    ...secureFirmware(spec),
    ...["-accel", spec.accelerator],
    ...["-cpu", cpuArgument(spec)],
    ...["-smp", topology(vm)],
    ...memoryArguments(vm),
    ...memoryDeviceArguments(vm),
    ...["-S"],
    // A guest that switches itself off, or panics, leaves its QEMU standing: whoever looks next sees why.
    ...["-action", "shutdown=pause,panic=pause"],
    ...(spec.incoming || spec.memoryPath !== undefined ? ["-incoming", "defer"] : []),
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
    ...["-device", `virtio-rng-pci,rng=rng0,${rngAddress(spec)}`],
    ...balloonArguments(vm, rngSlot),
    ...rootPorts(vm).flatMap((port) => ["-device", inWords(port)]),
    ...chapObjects(spec, options.runFolder ?? ""),
    ...disks(spec),
    ...cdroms(spec),
    ...nics(spec),
    ...hostDeviceArguments(spec),
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
  const { vm } = spec;
  const devices = diskDevices(vm.disks, placesOf(vm).disks, (place) => addressOf(vm, place));
  return vm.disks.flatMap((disk, index) => {
    const [names] = diskNodeNames(disk.name);
    const nodes = allNodes(spec, disk, storageOf(spec, disk.name));
    const { controller, device } = devices[index] as (typeof devices)[number];
    return [
      ...nodes.flatMap((node) => ["-blockdev", JSON.stringify(node)]),
      ...(controller === null ? [] : ["-device", inWords(controller)]),
      ...[
        "-device",
        inWords({ ...device, drive: names.format, ...diskErrors, ...bootIndex(vm, `disk:${disk.name}`) }),
      ],
    ];
  });
}

/** What a disk is on: a file, or a LUN of which QEMU itself is the client. */
function storageOf(spec: LaunchSpec, disk: string): StorageOptions {
  const lun = spec.luns[disk];
  if (lun !== undefined) {
    const { portal, target, lun: number, initiator } = lun;
    const node = { transport: "tcp", portal, target, lun: number, "initiator-name": initiator };
    return { driver: "iscsi", ...node, ...chapOptions(spec, disk) };
  }
  return hostStorage(spec, disk);
}

/** A drive's place on its bus goes by its place among all drives. */
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
    const { bootindex } = bootIndex(vm, `cdrom:${drive.name}`);
    return [
      ...medium.flatMap((node) => ["-blockdev", JSON.stringify(node)]),
      "-device",
      `${place}${inside}${bootindex === undefined ? "" : `,bootindex=${String(bootindex)}`}`,
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
  const { vm } = spec;
  return spec.taps.flatMap(({ interfaceName }, position) => {
    const number = nicNumber(vm.nics[position] ?? {}, position);
    const { type, vhost: _, ...netdev } = nicNetdev(number, interfaceName);
    return [
      ...["-netdev", `${type},${options(netdev)},vhost=off`],
      ...["-device", inWords(nicDevice(vm, position))],
    ];
  });
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

/** The first function of a slot that has several. */
const rngAddress = ({ vm }: LaunchSpec): string =>
  options(
    vm.balloon === undefined ? slotAddress(vm, rngSlot) : addressOf(vm, { slot: rngSlot, function: 0 }),
  );

const slot = ({ vm }: LaunchSpec, number: number): string => options(slotAddress(vm, number));

const options = (of: Readonly<Record<string, string | number | undefined>>): string =>
  Object.entries(of)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(",");

const inWords = ({ driver, ...rest }: DeviceOptions): string => `${driver},${options(rest)}`;

/** One that listens already. */
function socket(id: string, descriptor: number, more = ""): string[] {
  return ["-chardev", `socket,id=${id},fd=${String(descriptor)},server=on,wait=off${more}`];
}
