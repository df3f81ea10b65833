/** Disks and NICs of VMs: added, removed and changed. What can be known before is refused before a task is entered. */
import { randomBytes } from "node:crypto";
import {
  diskToAddSchema,
  GodwitError,
  lunOf,
  nicNumber,
  storedModel,
  type DeviceChange,
  type DiskToAdd,
  type serverOperations,
  type Task,
  type Vm,
  type VmView,
} from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import { macConflict } from "@godwit/placement";
import type { Services } from "../services.ts";
import { ableTo } from "./able-to.ts";
import { hostFor } from "./host-for-command.ts";

type DeviceOperations = Pick<
  typeof serverOperations,
  "vmDiskList" | "vmDiskAdd" | "vmDiskResize" | "vmDiskRemove" | "vmNicAdd" | "vmNicSet" | "vmNicRemove"
>;

export function vmDeviceHandlers(services: Services): Handlers<DeviceOperations> {
  const { hosts, store, tasks } = services;

  async function start(
    vm: VmView,
    change: DeviceChange,
  ): Promise<Extract<Task, { kind: "vm.changeDevice" }>> {
    const host = await hostFor(services, "configure", vm);
    const known = await store.hosts.list();
    ableTo("devices", known, host);
    if (change.what === "addDisk" && change.disk.linked === true) ableTo("linkedDisks", known, host);
    const request = { vm: { id: vm.id, name: vm.name }, host, home: vm.config.datastore, change };
    return await tasks.start({ kind: "vm.changeDevice", request });
  }

  return {
    vmDiskList: async ({ params }) => {
      const { name, config, host } = await store.vms.show(params.vm);
      const place = { datastore: config.datastore, name };
      const facts = (await store.hosts.list()).find((one) => one.name === host)?.facts;
      const known = { disks: config.disks.map((disk) => ({ ...disk, sizeBytes: null })), current: false };
      if (!hosts.isUp(host) || facts?.abilities?.includes("devices") !== true) return known;
      const link = hosts.of(host);
      return await link.agent.call("vmDisksShow", { params: place }).then(
        ({ disks }) => ({ disks, current: true }),
        () => known,
      );
    },

    vmDiskAdd: async ({ params, body }) => {
      const vm = await store.vms.show(params.vm);
      const disk = diskOf(vm.config, body);
      if (vm.config.disks.some(({ name }) => name === disk.name))
        throw GodwitError.of("DISK_NAME_TAKEN", { vm: vm.name, disk: disk.name });
      if (disk.image !== undefined && lunOf(disk.image) !== null)
        await store.vms.mustHaveOwnDisks({
          ...{ id: vm.id, name: vm.name },
          disks: [{ name: disk.name, datastore: disk.datastore, path: disk.image }],
        });
      return await start(vm, { what: "addDisk", disk });
    },

    vmDiskResize: async ({ params, body }) => {
      const vm = await store.vms.show(params.vm);
      return await start(vm, { what: "resizeDisk", disk: diskNamed(vm, params.disk), sizeMib: body.sizeMib });
    },

    vmDiskRemove: async ({ params, query }) => {
      const vm = await store.vms.show(params.vm);
      const disk = diskNamed(vm, params.disk);
      return await start(vm, { what: "removeDisk", disk, keepFile: query.keepFile });
    },

    vmNicAdd: async ({ params, body }) => {
      const vm = await store.vms.show(params.vm);
      const { model, portGroup, addresses } = body;
      const all = await store.vms.list();
      const mac = body.mac ?? newMac(all);
      if (vm.config.nics.some((nic) => nic.mac === mac))
        throw GodwitError.of("MAC_IN_USE", { vm: vm.name, mac, network: portGroup, other: vm.name });
      mustBeAlone(vm, { portGroup, mac }, all);
      const nic = {
        portGroup,
        mac,
        ...(addresses === undefined ? {} : { addresses }),
        ...storedModel(model),
      };
      return await start(vm, { what: "addNic", nic });
    },

    vmNicSet: async ({ params, body }) => {
      const vm = await store.vms.show(params.vm);
      const mac = macOfNic(vm, params.nic);
      if (body.portGroup !== undefined)
        mustBeAlone(vm, { portGroup: body.portGroup, mac }, await store.vms.list());
      return await start(vm, { what: "setNic", mac, ...body });
    },

    vmNicRemove: async ({ params }) => {
      const vm = await store.vms.show(params.vm);
      return await start(vm, { what: "removeNic", mac: macOfNic(vm, params.nic) });
    },
  };
}

/** @throws VM_DESCRIPTION_INVALID */
function diskOf(vm: Vm, body: Omit<DiskToAdd, "name"> & { name?: string | undefined }): DiskToAdd {
  const parsed = diskToAddSchema.safeParse({ ...body, name: body.name ?? freeName(vm) });
  const problems = parsed.success
    ? // An image that is a disk's file is moved: only a LUN is not.
      parsed.data.take === true && lunOf(parsed.data.image ?? "") === null
      ? ["take: only a LUN is taken; leave it out, and the image is copied"]
      : []
    : parsed.error.issues.map(({ path, message }) => [path.map(String).join("."), message].join(": "));
  if (!parsed.success || problems.length > 0)
    throw GodwitError.of("VM_DESCRIPTION_INVALID", { source: `of a disk of VM ${vm.name}`, problems });
  return parsed.data;
}

/** As further disks of a new VM are named. */
function freeName({ disks }: Vm): string {
  for (let number = 1; ; number += 1) {
    const name = `data-${String(number)}`;
    if (!disks.some((disk) => disk.name === name)) return name;
  }
}

/** @throws DISK_UNKNOWN */
function diskNamed(vm: VmView, disk: string): string {
  const known = vm.config.disks.map(({ name }) => name);
  if (known.includes(disk)) return disk;
  throw GodwitError.of("DISK_UNKNOWN", { vm: vm.name, disk, known });
}

/** By its number or its MAC address. @throws NIC_UNKNOWN */
function macOfNic(vm: VmView, named: string): string {
  const { nics } = vm.config;
  const found = nics.find(
    (nic, position) => nic.mac === named.toLowerCase() || String(nicNumber(nic, position)) === named,
  );
  if (found !== undefined) return found.mac;
  const known = nics.map((nic, position) => `${String(nicNumber(nic, position))} (${nic.mac})`);
  throw GodwitError.of("NIC_UNKNOWN", { vm: vm.name, nic: named, known });
}

/** @throws MAC_IN_USE */
function mustBeAlone(vm: VmView, nic: { portGroup: string; mac: string }, all: readonly VmView[]): void {
  const conflict = macConflict({ id: vm.id, nics: [nic] }, all);
  if (conflict !== null) throw GodwitError.of("MAC_IN_USE", { vm: vm.name, ...conflict });
}

/** In the range that QEMU's vendor prefix leaves to its users, and no VM's. */
function newMac(all: readonly VmView[]): string {
  const used = new Set(all.flatMap(({ config }) => config.nics.map(({ mac }) => mac)));
  for (;;) {
    const tail = randomBytes(3).toString("hex").match(/../g) ?? [];
    const mac = ["52", "54", "00", ...tail].join(":");
    if (!used.has(mac)) return mac;
  }
}
