/**
 * What a VM's description can do to QEMU's command line: nothing but what is meant. QEMU reads `key=value,…` with
 * doubled commas, so a comma in a name would begin an option of its own.
 */
import { GodwitError, vmDescriptionSchema, vmSchema } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { commandLine } from "../src/command-line.ts";
import { confined } from "../src/confinement.ts";
import { poweredOn } from "../src/device-places.ts";
import { pinnedBytes } from "../src/host-devices.ts";
import { imageFilesOf, type LaunchSpec } from "../src/launch-spec.ts";

const vm = vmSchema.parse({
  ...{ version: 1, id: "6a8f5f0e-8f5d-4b52-9d3a-2b8f4c1f0a11", name: "web-1", datastore: "shared" },
  ...{ memoryMib: 64, vcpus: 1, machine: "pc-q35-7.2", cpu: { model: "qemu64-v1", add: ["sse4.1"] } },
  disks: [{ name: "data", path: "web-1/data.qcow2", format: "qcow2" }],
  nics: [{ portGroup: "office", mac: "52:54:00:00:00:01" }],
  boot: { kernel: "kernels/vmlinuz", initrd: "kernels/initrd", commandLine: "console=ttyS0,115200" },
  guestAgent: true,
});
const plain: LaunchSpec = {
  ...{ vm, accelerator: "tcg", incoming: true },
  diskPaths: { data: "/data,stores/shared/web-1/data.qcow2" },
  luns: {},
  mediumPaths: {},
  ...{ kernelPath: "/data,stores/kernel", initrdPath: "/data,stores/initrd" },
  taps: [{ interfaceName: "gw6a8f5f0e8f0", mac: "52:54:00:00:00:01" }],
};

test("UEFI is two flash memories; with Secure Boot only the firmware's own mode writes the variables", () => {
  const uefi = {
    codePath: "/usr/share/OVMF/OVMF_CODE_4M.fd",
    nvramPath: "/data,stores/shared/web-1/nvram.fd",
  };
  const machineOf = (secureBoot: boolean) => {
    const words = commandLine({ ...plain, vm: { ...vm, firmware: { type: "uefi", secureBoot } }, uefi });
    expect(words.filter((word) => word.includes("/data,stores/shared/web-1/nvram.fd"))).toHaveLength(1);
    return [
      words[words.indexOf("-machine") + 1],
      words.includes("driver=cfi.pflash01,property=secure,value=on"),
    ];
  };
  const plainMachine =
    "pc-q35-7.2,usb=off,dump-guest-core=off,graphics=off,pflash0=uefi-code,pflash1=uefi-vars";
  expect(machineOf(false)).toEqual([plainMachine, false]);
  expect(machineOf(true)).toEqual([`${plainMachine},smm=on`, true]);
});

test("a disk that is a block device of the host is opened as one, past the page cache, and takes what the guest discards", () => {
  const device = { ...plain, diskPaths: { data: "/dev/dm-3" }, blockDevices: ["data"] };
  const raw = { ...vm, disks: vm.disks.map((disk) => ({ ...disk, format: "raw" as const })) };
  const words = commandLine({ ...device, vm: raw });
  const nodes = words.flatMap((word, at) =>
    word === "-blockdev" ? [JSON.parse(words[at + 1] ?? "") as Record<string, unknown>] : [],
  );
  expect(nodes).toEqual([
    expect.objectContaining({
      ...{ driver: "host_device", filename: "/dev/dm-3", discard: "unmap", locking: "on" },
      cache: { direct: true, "no-flush": false },
    }),
    expect.objectContaining({ driver: "raw", discard: "unmap" }),
  ]);
  // What of it may be full is not a file system's.
  expect(imageFilesOf({ ...device, diskPaths: { data: "/dev/dm-3", root: "/srv/root" } })).toEqual([
    "/srv/root",
  ]);
});

/** The keys that may stand in each option's argument; `null`: the argument is not of that form. */
const meant: Record<string, readonly string[] | null> = {
  "-name": ["guest", "debug-threads"],
  "-machine": ["usb", "dump-guest-core", "graphics"],
  "-cpu": ["sse4.1", "enforce"],
  "-smp": ["sockets", "cores", "threads"],
  "-m": ["size"],
  "-rtc": ["base"],
  "-boot": ["strict"],
  "-action": ["shutdown", "panic"],
  "-sandbox": ["obsolete", "elevateprivileges", "spawn", "resourcecontrol"],
  "-msg": ["timestamp"],
  "-mon": ["chardev", "mode"],
  "-add-fd": ["fd", "set"],
  "-chardev": ["id", "fd", "server", "wait", "logfile", "logappend"],
  "-object": ["id", "filename"],
  "-netdev": ["id", "ifname", "script", "downscript", "vhost"],
  "-device": [
    ...["chardev", "rng", "drive", "id", "bus", "addr", "bootindex", "netdev", "mac", "romfile", "romsize"],
    ...["max_ports", "nr", "name", "multifunction", "werror", "rerror", "deflate-on-oom"],
  ],
  ...Object.fromEntries(
    ["-uuid", "-accel", "-incoming", "-display", "-vga", "-kernel", "-initrd", "-append"].map((option) => [
      option,
      null,
    ]),
  ),
};
const alone = new Set(["-no-user-config", "-nodefaults", "-S"]);

/** As QEMU's `keyval_parse` and `qemu_opts_parse` read it; the first part may be a value without its key. */
function keysOf(text: string): string[] {
  const parts = text.replaceAll(",,", "\0").split(",");
  const keys = parts.map((part) => part.split("=")[0] ?? "");
  return parts[0]?.includes("=") === true ? keys : keys.slice(1);
}

/** What in a command line was not meant. */
function strays(argv: readonly string[]): string[] {
  const found: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const option = argv[at] ?? "";
    if (alone.has(option)) continue;
    const argument = argv[++at] ?? "";
    if (option === "-blockdev") {
      const { filename } = JSON.parse(argument) as { filename?: string };
      if (filename !== undefined && filename !== plain.diskPaths.data && !filename.startsWith("/"))
        found.push(argument);
      continue;
    }
    const keys = meant[option];
    if (keys === undefined) found.push(option);
    else if (keys !== null)
      found.push(
        ...keysOf(argument)
          .filter((key) => !keys.includes(key))
          .map((key) => `${option} ${key}`),
      );
  }
  return found;
}

/** Every string of a launch specification, by its path. */
function stringsOf(value: unknown, path: readonly (string | number)[] = []): (string | number)[][] {
  if (typeof value === "string") return [[...path]];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => stringsOf(inner, [...path, key]));
}

function withString(spec: LaunchSpec, path: readonly (string | number)[], text: string): LaunchSpec {
  const copy = structuredClone(spec) as unknown as Record<string, unknown>;
  let place = copy;
  for (const key of path.slice(0, -1)) place = place[key] as Record<string, unknown>;
  place[path.at(-1) ?? ""] = text;
  return copy as unknown as LaunchSpec;
}

test("a description that is meant well becomes the options that are meant, also with commas in paths", () => {
  const argv = commandLine(plain);
  expect(strays(argv)).toEqual([]);
  expect(argv).toContain("/data,stores/kernel");
});

/** A VM with so many devices. */
function withDevices(disks: number, nics: number): LaunchSpec {
  const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);
  const macs = numbers(nics).map((index) => `52:54:00:00:00:0${String(index)}`);
  return {
    ...plain,
    vm: {
      ...vm,
      disks: numbers(disks).map((index) => ({
        ...{ name: `d${String(index)}`, path: `web-1/d${String(index)}.qcow2`, format: "qcow2" as const },
      })),
      nics: macs.map((mac) => ({ portGroup: "office", mac })),
    },
    diskPaths: Object.fromEntries(
      numbers(disks).map((index) => [`d${String(index)}`, `/d/d${String(index)}`]),
    ),
    taps: macs.map((mac, index) => ({ interfaceName: `tap${String(index)}`, mac })),
  };
}
const addressesOf = (spec: LaunchSpec): string[] =>
  commandLine(spec).flatMap((argument) => {
    const [, address] = /,addr=0x([0-9a-f.]+)/.exec(argument) ?? [];
    return address === undefined ? [] : [address];
  });

test("as many disks and NICs as a description may have get an address each, and those that fitted before keep theirs", () => {
  const most = vmDescriptionSchema.shape;
  expect(
    most.disks.safeParse(withDevices(24, 0).vm.disks.map(({ name }) => ({ name, sizeMib: 1 }))).success,
  ).toBe(true);
  for (let disks = 0; disks <= 24; disks++) {
    for (let nics = 0; nics <= 8; nics++) {
      const addresses = addressesOf(withDevices(disks, nics));
      expect(addresses).toHaveLength(disks + nics + 2); // the random numbers' and the guest agent's
      expect(new Set(addresses).size).toBe(addresses.length);
      // The chipset's own.
      expect(addresses.filter((address) => ["0", "1", "1f"].includes(address.split(".")[0] ?? ""))).toEqual(
        [],
      );
      if (disks + nics > 25) continue;
      const slots = Array.from({ length: disks }, (_, index) => 3 + index);
      const nicSlots = Array.from({ length: nics }, (_, index) => 27 - index);
      expect(addresses).toEqual([2, ...slots, ...nicSlots, 28].map((slot) => slot.toString(16)));
    }
  }
  // A guest looks at the functions of a slot only where the first one is.
  const shared = addressesOf(withDevices(24, 8)).filter((address) => address.startsWith("1d"));
  expect(shared).toEqual(["1d.0", "1d.1", "1d.2", "1d.3", "1d.4", "1d.5", "1d.6"]);
});

test("a machine type with an option behind it is refused, and so is any such string", () => {
  const injected = { ...plain, vm: { ...vm, machine: "pc-q35-7.2,dt-compatible=INJECTED" } };
  expect(() => commandLine(injected)).toThrow(/machine: must be a versioned machine type/);
  expect(vmSchema.safeParse(injected.vm).success).toBe(false);
  const tap = { ...plain, taps: [{ interfaceName: "tap0,script=/tmp/x", mac: "52:54:00:00:00:01" }] };
  expect(() => commandLine(tap)).toThrow(/taps\.0\.interfaceName/);
});

test("whatever string stands in a launch specification, QEMU gets no option that was not meant", () => {
  const hostile = fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.constantFrom(",x=y", "a,x=y", "-device", "x,,y=z", "\0,a=b", "/x,readonly=on", "a\nb", "json:{}"),
    fc
      .tuple(fc.constantFrom("pc-q35-7.2", "web-1", "data", "/a/b"), fc.string({ maxLength: 20 }))
      .map(([known, more]) => `${known},${more}`),
  );
  fc.assert(
    fc.property(fc.constantFrom(...stringsOf(plain)), hostile, (path, text) => {
      let argv: string[];
      try {
        argv = commandLine(withString(plain, path, text));
      } catch (error) {
        if (GodwitError.is(error, "VM_DESCRIPTION_INVALID") || error instanceof TypeError) return;
        throw error;
      }
      // A CPU feature by any proper name is one.
      expect(strays(argv).filter((stray) => !/^-cpu [a-z0-9][a-z0-9._-]*$/.test(stray))).toEqual([]);
      expect(argv.every((argument) => !argument.includes("\0"))).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test("CD-ROM drives are on the IDE bus that the machine has, and only what is connected is opened, for reading", () => {
  const cdroms = ["cd0", "cd1", "cd2"].map((name) => ({ name, medium: null, connected: false }));
  const drivesOf = (machine: string) => {
    const { boot: _boot, ...bootless } = vm;
    const spec = {
      ...plain,
      vm: { ...bootless, machine, cdroms },
      mediumPaths: { cd1: "/data,stores/a.iso" },
    };
    const words = commandLine(spec);
    const isos = words.filter((word) => word.includes('"iso'));
    return { drives: words.filter((word) => word.startsWith("ide-cd")), isos };
  };
  const { drives, isos } = drivesOf("pc-q35-7.2");
  expect(drives).toEqual([
    "ide-cd,id=cd.cd0,bus=ide.0,unit=0,bootindex=1",
    "ide-cd,id=cd.cd1,bus=ide.1,unit=0,drive=iso.cd1,bootindex=2",
    "ide-cd,id=cd.cd2,bus=ide.2,unit=0,bootindex=3",
  ]);
  expect(isos.map((text) => JSON.parse(text) as unknown)).toMatchObject([
    { driver: "file", filename: "/data,stores/a.iso", "read-only": true },
    { driver: "raw", "read-only": true },
  ]);
  expect(drivesOf("pc-i440fx-7.2").drives.map((word) => word.slice(0, 33))).toEqual([
    "ide-cd,id=cd.cd0,bus=ide.0,unit=0",
    "ide-cd,id=cd.cd1,bus=ide.0,unit=1",
    "ide-cd,id=cd.cd2,bus=ide.1,unit=0",
  ]);
});

test("a drive on virtio-scsi gets a controller in a slot of its own, and leaves the others where they are", () => {
  const drive = { medium: null, connected: false };
  const cdroms = [
    { ...drive, name: "cd0" },
    { ...drive, name: "cloud-init", bus: "virtio-scsi" as const },
    { ...drive, name: "cd2" },
  ];
  for (const machine of ["pc-q35-7.2", "pc-i440fx-7.2"]) {
    const { boot: _boot, ...bootless } = vm;
    const words = commandLine({
      ...plain,
      vm: { ...bootless, machine, cdroms },
      mediumPaths: { "cloud-init": "/d/web-1/cloud-init.iso" },
    });
    const [ide, ...others] = words.filter((word) => /^(?:ide-cd|scsi-cd|virtio-scsi)/.test(word)).sort();
    expect(ide).toBe("ide-cd,id=cd.cd0,bus=ide.0,unit=0,bootindex=1");
    expect(others.slice(1)).toEqual([
      "scsi-cd,id=cd.cloud-init,bus=cdroms.bus.0,scsi-id=1,drive=iso.cloud-init,bootindex=2",
      `virtio-scsi-pci,id=cdroms.bus,bus=${machine.startsWith("pc-q35") ? "pcie.0" : "pci.0"},addr=0x1e`,
    ]);
    expect(words.indexOf(others.at(-1) ?? "")).toBeLessThan(words.indexOf(others[1] ?? ""));
  }
});

test("with any names of disks no two devices have the same id, and no block node has a name that QEMU refuses", () => {
  const cdroms = ["cd0", `cd-${"x".repeat(60)}`].map((name) => ({
    ...{ name, medium: null, connected: false, bus: "virtio-scsi" as const },
  }));
  const names = ["ports", "cdroms", "scsi", "tpm", "rng0", "net0", "a".repeat(63), `${"a".repeat(62)}b`];
  const words = commandLine({
    ...plain,
    vm: { ...vm, cdroms, disks: names.map((name) => ({ name, path: `web-1/${name}.raw`, format: "raw" })) },
    diskPaths: Object.fromEntries(names.map((name) => [name, `/d/${name}.raw`])),
    mediumPaths: Object.fromEntries(cdroms.map(({ name }) => [name, "/d/image.iso"])),
  });
  const after = (option: string) => words.flatMap((word, at) => (words[at - 1] === option ? [word] : []));
  const ids = after("-device").flatMap((device) => /,id=([^,]+)/.exec(device)?.[1] ?? []);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toEqual(expect.arrayContaining(names));
  const nodes = after("-blockdev").map((node) => (JSON.parse(node) as { "node-name": string })["node-name"]);
  expect(new Set(nodes).size).toBe(2 * (names.length + cdroms.length));
  for (const node of nodes) expect(node).toMatch(/^[a-z][a-z0-9.-]{1,30}$/);
  for (const device of after("-device")) {
    const drive = /,drive=([^,]+)/.exec(device)?.[1];
    if (drive !== undefined) expect(nodes).toContain(drive);
  }
});

test("the controller of CD-ROM drives has a slot that no disk, NIC or chipset has", () => {
  const most = withDevices(24, 8);
  const cdroms = [{ name: "cd0", medium: null, connected: false, bus: "virtio-scsi" as const }];
  const before = addressesOf(most);
  const addresses = addressesOf({ ...most, vm: { ...most.vm, cdroms } });
  expect(addresses.filter((address) => !before.includes(address))).toEqual(["1e"]);
});

test("a target that wants CHAP: its secret is a file of the run folder, one for all of its LUNs, and stands on no command line", () => {
  const lun = {
    portal: "10.0.3.9:3260",
    target: "iqn.2026-01.com.example:san",
    initiator: "iqn.2008-11.org:a",
  };
  const disks = ["data", "more", "open"].map((name, index) => ({
    ...{ name, datastore: "san", path: `lun-${String(index)}`, format: "raw" as const, taken: true },
  }));
  const luns = {
    data: { ...lun, lun: 0, chapUser: "user,with=all" },
    more: { ...lun, lun: 1, chapUser: "user,with=all" },
    open: { ...lun, lun: 2, target: "iqn.2026-01.com.example:open" },
  };
  const spec = { ...plain, vm: vmSchema.parse({ ...vm, disks }), diskPaths: {}, luns };
  const words = commandLine(spec, { runFolder: "/run/vm" });
  const after = (option: string) =>
    words.flatMap((word, index) => (words[index - 1] === option ? [word] : []));
  const objects = after("-object").filter((word) => word.includes("secret"));
  expect(objects.map((word) => JSON.parse(word) as unknown)).toEqual([
    { "qom-type": "secret", id: "chap.0", file: "/run/vm/chap/0" },
  ]);
  const shown = after("-blockdev")
    .map((word) => JSON.parse(word) as { driver: string; user?: string; "password-secret"?: string })
    .filter(({ driver }) => driver === "iscsi")
    .map((node) => [node.user, node["password-secret"]]);
  expect(shown).toEqual([
    ["user,with=all", "chap.0"],
    ["user,with=all", "chap.0"],
    [undefined, undefined],
  ]);
});

test("huge pages and NUMA nodes are memory of their own names; without them nothing is other than before", () => {
  const memoryOf = (more: object) => {
    const words = commandLine({ ...plain, vm: { ...vm, ...{ memoryMib: 64, vcpus: 3 }, ...more } });
    const of = (flag: string) => words.flatMap((word, at) => (word === flag ? [words[at + 1]] : []));
    return {
      smp: of("-smp")[0],
      machine: of("-machine")[0]?.includes("memory-backend=guest.memory"),
      memory: [...of("-object").filter((one) => one?.startsWith("memory")), ...of("-numa")],
    };
  };
  expect(memoryOf({})).toEqual({ smp: "3,sockets=1,cores=3,threads=1", machine: false, memory: [] });
  const huge = "hugetlb=on,hugetlbsize=2M,prealloc=on";
  expect(memoryOf({ hugepages: "2M" })).toMatchObject({
    machine: true,
    memory: [`memory-backend-memfd,id=guest.memory,size=64M,${huge}`],
  });
  const nodes = [
    { vcpus: 1, memoryMib: 16 },
    { vcpus: 2, memoryMib: 48, hostNode: 1 },
  ];
  expect(memoryOf({ numa: nodes })).toEqual({
    ...{ smp: "3,sockets=1,cores=3,threads=1", machine: false },
    memory: [
      // The largest first, of whichever node.
      "memory-backend-ram,id=guest.memory1,size=48M,host-nodes=1,policy=bind",
      "memory-backend-ram,id=guest.memory0,size=16M",
      "node,nodeid=0,cpus=0-0,memdev=guest.memory0",
      "node,nodeid=1,cpus=1-2,memdev=guest.memory1",
    ],
  });
  const equal = [1, 2].map(() => ({ vcpus: 2, memoryMib: 32 }));
  expect(memoryOf({ vcpus: 4, numa: equal, hugepages: "2M" })).toMatchObject({
    smp: "4,sockets=2,cores=2,threads=1",
    memory: expect.arrayContaining([`memory-backend-memfd,id=guest.memory1,size=32M,${huge}`]) as string[],
  });
});

test("a CPU topology is what QEMU is started with, also beside NUMA nodes; a VM without one has cores of one socket", () => {
  const smp = (more: object) => {
    const words = commandLine({ ...plain, vm: vmSchema.parse({ ...vm, ...more }) });
    return words[words.indexOf("-smp") + 1];
  };
  expect(smp({ vcpus: 4 })).toBe("4,sockets=1,cores=4,threads=1");
  expect(smp({ vcpus: 8, topology: { sockets: 2, cores: 2, threads: 2 } })).toBe(
    "8,sockets=2,cores=2,threads=2",
  );
  const numa = [1, 2].map(() => ({ vcpus: 4, memoryMib: 32 }));
  expect(smp({ vcpus: 8, memoryMib: 64, numa, topology: { sockets: 4, cores: 1, threads: 2 } })).toBe(
    "8,sockets=4,cores=1,threads=2",
  );
});

test("a balloon is in the slot of the random number generator, whose own place is the same without; its target is none of QEMU's arguments", () => {
  const devices = (more: object) =>
    commandLine({ ...plain, vm: vmSchema.parse({ ...vm, ...more }) }).filter((word) =>
      /^virtio-(?:rng|balloon)/.test(word),
    );
  expect(devices({})).toEqual(["virtio-rng-pci,rng=rng0,bus=pcie.0,addr=0x2"]);
  const both = [
    "virtio-rng-pci,rng=rng0,bus=pcie.0,addr=0x2.0,multifunction=on",
    "virtio-balloon-pci,id=memory.balloon,deflate-on-oom=on,bus=pcie.0,addr=0x2.1,multifunction=on",
  ];
  expect(devices({ balloon: {} })).toEqual(both);
  expect(devices({ balloon: { targetMib: 64 } })).toEqual(both);
  expect(devices({ balloon: {}, machine: "pc-i440fx-7.2" })).toEqual(
    both.map((device) => device.replace("pcie.0", "pci.0")),
  );
});

test("memory that was added is beside what the machine began with, in its slots and at its addresses; powered on again it is plain", () => {
  const memory = (more: object) => {
    const argv = commandLine({ ...plain, vm: vmSchema.parse({ ...vm, memoryMib: 1024, ...more }) });
    return argv.filter((word, at) => argv[at - 1] === "-m" || /^memory-backend|^pc-dimm/.test(word));
  };
  const memoryDevices = [
    { slot: 0, mib: 512, addr: 4294967296 },
    { slot: 3, mib: 256, addr: 4831838208 },
  ];
  expect(memory({})).toEqual(["size=1024M"]);
  expect(memory({ maxMemoryMib: 1024 })).toEqual(["size=1024M"]);
  expect(memory({ maxMemoryMib: 4096 })).toEqual(["size=1024M,slots=16,maxmem=4096M"]);
  const grown = { memoryMib: 1792, maxMemoryMib: 1792, memoryDevices };
  expect(memory(grown)).toEqual([
    "size=1024M,slots=16,maxmem=1792M",
    "memory-backend-ram,id=memory.added0,size=512M",
    "pc-dimm,id=memory.device0,memdev=memory.added0,slot=0,addr=4294967296",
    "memory-backend-ram,id=memory.added3,size=256M",
    "pc-dimm,id=memory.device3,memdev=memory.added3,slot=3,addr=4831838208",
  ]);
  expect(memory(poweredOn(vmSchema.parse({ ...vm, ...grown }), false))).toEqual(["size=1792M"]);
  const unknown = { ...grown, memoryDevices: [{ slot: 0, mib: 512 }] };
  expect(() => memory(unknown)).toThrow("whether QEMU has all of them is not known");
});

test("a boot order is what the firmware tries, and no more; a NIC in it has a boot ROM whose room is the same everywhere", () => {
  const cdroms = [{ name: "cd0", medium: null, connected: false }];
  const { boot: _, ...bootless } = vm;
  const nics = [
    { portGroup: "office", mac: "52:54:00:00:00:01", number: 3 },
    { portGroup: "office", mac: "52:54:00:00:00:02" },
  ];
  const disks = ["root", "data"].map((name) => ({ name, path: `web-1/${name}.raw`, format: "raw" as const }));
  const words = (more: object) =>
    commandLine({
      ...{ ...plain, vm: vmSchema.parse({ ...bootless, cdroms, nics, disks, ...more }) },
      ...{ kernelPath: null, initrdPath: null, diskPaths: { root: "/d/root.raw", data: "/d/data.raw" } },
      taps: nics.map(({ mac }, index) => ({ interfaceName: `tap${String(index)}`, mac })),
    });
  const tried = (argv: readonly string[]) =>
    argv
      .flatMap((word) => {
        const [, id = "", index = ""] = /,id=([^,]+).*,bootindex=(\d+)/.exec(word) ?? [];
        return id === "" ? [] : [{ id, index: Number(index) }];
      })
      .sort((a, b) => a.index - b.index)
      .map(({ id }) => id);
  expect(tried(words({}))).toEqual(["root", "cd.cd0"]);
  expect(words({}).filter((word) => word.includes("romsize"))).toEqual([]);
  const ordered = words({ bootOrder: ["nic:3", "disk:data", "cdrom:cd0"] });
  expect(tried(ordered)).toEqual(["nic.3", "data", "cd.cd0"]);
  const [first, second] = ordered.filter((word) => word.startsWith("virtio-net-pci,"));
  expect(first).toMatch(/,romsize=1048576,.*bootindex=0$/);
  expect(second).toContain(",romfile=,");
  expect(ordered.join(" ")).toContain("-boot strict=on");
  // A device that is not there is no reason to boot from another.
  expect(tried(words({ bootOrder: ["disk:gone"] }))).toEqual([]);
});

test("devices of the host have PCI slots of their own, and QEMU sees of the host what they need", () => {
  const hostDevices = [
    { name: "gpu", pci: "0000:01:00.0", id: "10de:1eb8" },
    { name: "dongle", usb: "0529:0001" },
  ];
  const spec: LaunchSpec = {
    ...{ ...plain, vm: poweredOn({ ...vm, hostDevices }, false) },
    hostDevices: [
      { name: "gpu", node: "/dev/vfio/7", sysfs: ["/sys/bus/pci/devices/0000:01:00.0"] },
      { name: "dongle", node: "/dev/bus/usb/001/004", sysfs: [] },
    ],
  };
  const words = commandLine(spec);
  const devices = words.filter((word) => /^(?:vfio-pci|qemu-xhci|usb-host),/.test(word));
  // The NIC is in slot 27.
  expect(devices).toEqual([
    "vfio-pci,id=host.gpu,host=0000:01:00.0,bus=pcie.0,addr=0x1a",
    "qemu-xhci,id=usb.bus,p2=8,p3=8,bus=pcie.0,addr=0x19",
    "usb-host,id=host.dongle,bus=usb.bus.0,hostdevice=/dev/bus/usb/001/004",
  ]);
  // The guest lets the controller go no more than the root complex that it is on: a move's destination has it, too.
  const { hostDevices: _removed, ...without } = spec.vm;
  const after = commandLine({ ...plain, vm: without });
  expect(after.filter((word) => /^(?:vfio-pci|qemu-xhci|usb-host),/.test(word))).toEqual([devices[1]]);
  expect(poweredOn(without, false).usbSlot).toBeUndefined();
  expect(pinnedBytes(spec.vm)).toBe((64 + 1024) * 2 ** 20);
  expect(pinnedBytes(vm)).toBeNull();
  const place = { root: "/r", binary: "qemu", runFolder: "/run/x", isProfiled: false, readable: [] };
  const view = confined(spec, place).join(" ");
  for (const shown of [
    "ro /sys/bus/pci/devices/0000:01:00.0",
    "rw /dev/vfio/vfio",
    "rw /dev/vfio/7",
    "rw /dev/bus/usb/001/004",
  ])
    expect(view).toContain(` ${shown} `);
  // Two devices of one IOMMU group have one file.
  const two = [...(spec.hostDevices ?? []), { name: "sound", node: "/dev/vfio/7", sysfs: [] }];
  expect(
    confined({ ...spec, hostDevices: two }, place).filter((word) => word === "/dev/vfio/7"),
  ).toHaveLength(1);
  expect(confined(plain, place).join(" ")).not.toContain("vfio");
  expect(commandLine(plain).join(" ")).not.toMatch(/vfio|usb-host|xhci/);
  expect(() => commandLine({ ...spec, hostDevices: [{ name: "gpu", node: "/dev/sda", sysfs: [] }] })).toThrow(
    GodwitError,
  );
});
