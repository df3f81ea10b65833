/**
 * Disks and NICs of a running QEMU, plugged in and out. What QEMU may see of the host comes first and goes last. A device goes only
 * when the guest lets it go, which QEMU tells, and which may be never: whoever asks for it decides how long to wait.
 */
import { GodwitError, nicNumber, type Vm } from "@godwit/contract";
import { sleep, Wakeup } from "@godwit/system";
import { addressOf, diskErrors, netdevId, nicDevice, nicId, nicNetdev } from "./device-options.ts";
import { placesOf } from "./device-places.ts";
import { diskDevices } from "./disk-devices.ts";
import { allNodes, baseNodeNames, baseOf, diskNodeNames, hostStorage, insertedIn } from "./disk-nodes.ts";
import { passing } from "./passing.ts";
import type { QemuProcess } from "./qemu-process.ts";
import { showFile } from "./show-file.ts";

const lookEveryMs = 1000;
const releaseLimitMs = 5000;
const releaseLookMs = 50;
/** A disk of terabytes in qcow2 grows its tables. */
const resizeLimitMs = 60_000;

/** Ids of all devices that have one. */
export async function deviceIds({ qmp }: QemuProcess): Promise<ReadonlySet<string>> {
  const children = await qmp.execute("qom-list", { path: "/machine/peripheral" });
  return new Set(children.map(({ name }) => name));
}

/** @param vm with the disk, whose controller, if it needs one, is there. What it is on, its user's, the process knows of already. */
export async function plugDisk(process: QemuProcess, vm: Vm, disk: string): Promise<void> {
  const position = vm.disks.findIndex(({ name }) => name === disk);
  const described = vm.disks[position];
  const path = process.spec.diskPaths[disk];
  if (described === undefined || path === undefined) throw new TypeError(`VM ${vm.name} has no disk ${disk}`);
  const made = diskDevices(vm.disks, placesOf(vm).disks, (place) => addressOf(vm, place))[position];
  const [names] = diskNodeNames(disk);
  const base = baseOf(process.spec, disk);
  if (base !== null) await showFile(process.identity.pid, base.filename, "show");
  await showFile(process.identity.pid, path, "lend");
  for (const node of allNodes(process.spec, described, hostStorage(process.spec, disk)))
    await process.qmp.execute("blockdev-add", node);
  const first = position === 0 && vm.boot === undefined ? { bootindex: 0 } : {};
  await add(process, { ...made?.device, drive: names.format, ...diskErrors, ...first });
}

/** What is left of a disk whose device is gone, or never came. What it was on, the process knows of still. */
export async function forgetDisk(
  process: QemuProcess,
  disk: string,
  path: string | undefined,
): Promise<void> {
  for (const { format, storage } of [...diskNodeNames(disk), baseNodeNames(disk)])
    for (const name of [format, storage]) await deleteNode(process, name);
  if (path !== undefined) await showFile(process.identity.pid, path, "hide");
  const base = baseOf(process.spec, disk);
  if (base !== null) await showFile(process.identity.pid, base.filename, "hide");
}

/** QEMU's main loop gives a device's node back a moment after the device is gone. */
async function deleteNode({ qmp }: QemuProcess, name: string): Promise<void> {
  const until = performance.now() + releaseLimitMs;
  for (;;) {
    try {
      const deleted = qmp.execute("blockdev-del", { "node-name": name });
      await passing(deleted, /Failed to find node|Cannot find/i);
      return;
    } catch (error) {
      const isReleasing = GodwitError.is(error, "QMP_REFUSED") && /is in use/.test(error.message);
      if (!isReleasing || performance.now() > until) throw error;
    }
    await sleep(releaseLookMs);
  }
}

/** @param vm with the NIC, whose tap is there */
export async function plugNic(process: QemuProcess, vm: Vm, position: number, tap: string): Promise<void> {
  const number = nicNumber(vm.nics[position] ?? {}, position);
  await process.qmp.execute("netdev_add", nicNetdev(number, tap));
  await add(process, nicDevice(vm, position));
  await setLinks(process, vm);
}

export async function forgetNic({ qmp }: QemuProcess, number: number): Promise<void> {
  await passing(qmp.execute("netdev_del", { id: netdevId(number) }), /not found/i);
}

/** Links of all NICs as they are described. */
export async function setLinks({ qmp }: Pick<QemuProcess, "qmp">, { nics }: Pick<Vm, "nics">): Promise<void> {
  for (const [position, nic] of nics.entries())
    await qmp.execute("set_link", {
      name: netdevId(nicNumber(nic, position)),
      up: nic.connected !== false,
    });
}

/** The id of a NIC's device. */
export const nicDeviceId = (vm: Pick<Vm, "nics">, position: number): string =>
  nicId(nicNumber(vm.nics[position] ?? {}, position));

/**
 * Asks the guest to let a device go.
 * @returns whether it is gone; one that was gone before is. @throws QMP_REFUSED: the device is one that QEMU cannot take out
 */
export async function unplug(process: QemuProcess, id: string, limitMs: number): Promise<boolean> {
  const told = new Wakeup();
  using _events = process.onEvent(({ name }) => {
    if (name === "DEVICE_DELETED") told.wake();
  });
  if (!(await deviceIds(process)).has(id)) return true;
  const endsAt = performance.now() + limitMs;
  await passing(process.qmp.execute("device_del", { id }), /already in the process of unplug|not found/i);
  for (;;) {
    if (!(await deviceIds(process)).has(id)) return true;
    const leftMs = endsAt - performance.now();
    if (leftMs <= 0) return false;
    await told.next(Math.min(leftMs, lookEveryMs));
  }
}

/** The guest sees it at once. */
export async function resizeDisk({ qmp }: QemuProcess, disk: string, sizeBytes: number): Promise<void> {
  const node = insertedIn(await qmp.execute("query-block"), disk)?.["node-name"];
  if (node === undefined) throw new Error(`QEMU has no disk ${disk}`);
  await qmp.execute("block_resize", { "node-name": node, size: sizeBytes }, { timeoutMs: resizeLimitMs });
}

/** As the guest sees it, bytes. */
export async function sizeOfDisk({ qmp }: QemuProcess, disk: string): Promise<number> {
  const inserted = insertedIn(await qmp.execute("query-block"), disk);
  if (inserted === undefined) throw new Error(`QEMU has no disk ${disk}`);
  return inserted.image["virtual-size"];
}

/** The same of all disks that it has. */
export async function sizesOfDisks({ qmp, spec }: QemuProcess): Promise<Map<string, number>> {
  const blocks = await qmp.execute("query-block");
  return new Map(
    spec.vm.disks.flatMap(({ name }) => {
      const size = insertedIn(blocks, name)?.image["virtual-size"];
      return size === undefined ? [] : [[name, size]];
    }),
  );
}

/** A guest's device has properties that the command's own description does not name. */
async function add({ qmp }: QemuProcess, options: object): Promise<void> {
  await qmp.execute("device_add", options);
}
