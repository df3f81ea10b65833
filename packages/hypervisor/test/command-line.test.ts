/**
 * What a VM's description can do to QEMU's command line: nothing but what is meant. QEMU reads `key=value,…` with
 * doubled commas, so a comma in a name would begin an option of its own.
 */
import { GodwitError, vmDescriptionSchema, vmSchema } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { commandLine } from "../src/command-line.ts";
import type { LaunchSpec } from "../src/launch-spec.ts";

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
    ...["chardev", "rng", "drive", "id", "bus", "addr", "bootindex", "netdev", "mac", "romfile"],
    ...["max_ports", "nr", "name", "multifunction", "werror", "rerror"],
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
