/** A VM described by flags: what comes of them, and what is refused with the flag that is wrong. */
import { GodwitError } from "@godwit/contract";
import { expect, test } from "vitest";
import { parseMib, parseTopology } from "../src/output/format.ts";
import { describesVm, describeVm, onlyDatastore, type VmFlags } from "../src/vm-flags.ts";

const describe = (flags: VmFlags, name = "web-1") => describeVm(name, { datastore: "shared", ...flags });
const refusal = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (GodwitError.is(error)) return `${error.problem.code}: ${error.message} ${error.problem.remedy}`;
    throw error;
  }
  return "";
};

test("what is left out is a VM with 2 GiB, one vCPU and nothing else", () => {
  expect(describe({})).toEqual({
    ...{ name: "web-1", datastore: "shared", memoryMib: 2048, vcpus: 1 },
    ...{ disks: [], nics: [], guestAgent: false },
  });
});

test("a topology is read with what is left out as 1, and must make the number of vCPUs", () => {
  expect(parseTopology("sockets=2,cores=4")).toEqual({ sockets: 2, cores: 4, threads: 1 });
  expect(parseTopology("threads=2")).toEqual({ sockets: 1, cores: 1, threads: 2 });
  for (const wrong of ["", "2", "sockets=0", "sockets=2,sockets=2", "sockets=2 ", "dies=2", "cores=999"])
    expect(() => parseTopology(wrong)).toThrow("is not a CPU topology");
  const topology = parseTopology("sockets=2,cores=2");
  expect(describe({ vcpus: 4, topology })).toMatchObject({ vcpus: 4, topology });
  expect(refusal(() => describe({ topology }))).toMatch(
    /VM_DESCRIPTION_INVALID.*--topology: 2 sockets × 2 cores × 1 thread are 4 vCPUs, and the VM has 1/,
  );
});

test("a maximum is what memory is added up to, and not below the memory", () => {
  expect(describe({ memory: 1024, maxMemory: 4096 })).toMatchObject({ memoryMib: 1024, maxMemoryMib: 4096 });
  expect(describe({ memory: 1024 }).maxMemoryMib).toBeUndefined();
  expect(refusal(() => describe({ memory: 1024, maxMemory: 512 }))).toMatch(
    /--max-memory: is 512 MiB, and the VM has 1024 MiB of memory/,
  );
});

test("a memory target is a balloon, and at most the memory", () => {
  expect(describe({ memoryTarget: 1024 }).balloon).toEqual({ targetMib: 1024 });
  expect(describe({ memoryTarget: "all" }).balloon).toEqual({});
  expect(describe({ vcpus: 1 }).balloon).toBeUndefined();
  expect(refusal(() => describe({ memory: 512, memoryTarget: 1024 }))).toMatch(
    /--memory-target: is 1024 MiB, and the VM has 512 MiB of memory/,
  );
});

test("a boot order is of devices that the flags describe", () => {
  const flags = { disk: [1024], network: ["office"] };
  expect(describe({ ...flags, bootOrder: ["nic:0", "disk:root"] }).bootOrder).toEqual(["nic:0", "disk:root"]);
  expect(refusal(() => describe({ ...flags, bootOrder: ["cdrom:cd0"] }))).toMatch(
    /--boot-order: the VM has no cdrom:cd0; it has disk:root, nic:0/,
  );
  expect(refusal(() => describe({ ...flags, bootOrder: ["root"] }))).toMatch(
    /--boot-order: must be disk:NAME, cdrom:NAME or nic:NUMBER/,
  );
});

test("the first size is of the image's copy, further ones are of new disks", () => {
  const image = "images/debian-12.qcow2";
  expect(describe({ image }).disks).toEqual([{ name: "root", image, format: "qcow2" }]);
  expect(describe({ image, format: "raw", disk: [20480, 1024, 2048] }).disks).toEqual([
    { name: "root", image, format: "raw", sizeMib: 20480 },
    { name: "data-1", sizeMib: 1024, format: "qcow2" },
    { name: "data-2", sizeMib: 2048, format: "qcow2" },
  ]);
  expect(describe({ disk: [1024, 2048] }).disks.map(({ name }) => name)).toEqual(["root", "data-1"]);
});

test("an image may lie on another datastore", () => {
  expect(describe({ image: "library:debian/12.qcow2", disk: [20480] }).disks).toEqual([
    {
      ...{ name: "root", image: "debian/12.qcow2", imageDatastore: "library" },
      ...{ format: "qcow2", sizeMib: 20480 },
    },
  ]);
});

test("networks are NICs in their order, and an ISO image is in a drive of its own", () => {
  expect(describe({ network: ["office", "backup"], iso: "isos/debian.iso", guestAgent: true })).toMatchObject(
    {
      nics: [{ portGroup: "office" }, { portGroup: "backup" }],
      cdroms: [{ name: "cd0", iso: "isos/debian.iso" }],
      guestAgent: true,
    },
  );
});

test.each<[string, () => unknown, string]>([
  ["a path that leaves the datastore", () => describe({ image: "../etc/shadow" }), "--image: "],
  ["an image on no datastore of a name", () => describe({ image: "Lib:a.qcow2" }), "--image: "],
  ["a path with a colon", () => describe({ image: "a/b:c" }), "--image: "],
  ["an image that has no path", () => describe({ image: "library:" }), "--image: "],
  ["a size that no disk has", () => describe({ disk: [2 ** 40] }), "--disk: "],
  ["too little memory", () => describe({ memory: 1 }), "--memory: "],
  ["half a vCPU", () => describe({ vcpus: 0.5 }), "--vcpus: "],
  ["a port group of no such name", () => describe({ network: ["Office Net"] }), "--network: "],
  ["a name that is none", () => describe({}, "Web_1"), "the name: "],
  ["a file beside flags", () => describe({ memory: 512 }, "web-1.yaml"), "USAGE: "],
  ["a format of no image", () => describe({ format: "raw", disk: [8] }), "--format needs --image"],
  ["several datastores", () => onlyDatastore(["fast", "slow"]), "--datastore fast"],
  ["no datastore", () => onlyDatastore([]), "godwit datastore add"],
])("%s is refused", (_, act, told) => {
  expect(refusal(act)).toContain(told);
});

test("flags that say nothing of the VM leave it to the file", () => {
  expect(describesVm({})).toBe(false);
  expect(describesVm({ guestAgent: false })).toBe(false);
  expect(describesVm({ memory: 512 })).toBe(true);
  expect(onlyDatastore(["shared"])).toBe("shared");
});

test("sizes have binary units", () => {
  expect(["512MiB", "2GiB", "2G", "1.5TiB"].map(parseMib)).toEqual([512, 2048, 2048, 1572864]);
  for (const text of ["", "0GiB", "20", "20GB", "-1GiB"]) expect(() => parseMib(text)).toThrow("20GiB");
});

test("a guest without drivers for virtio has all disks and NICs on what it knows", () => {
  const { disks, nics } = describe({
    disk: [1024, 2048],
    network: ["office"],
    diskBus: "sata",
    nicModel: "e1000e",
  });
  expect(disks.map(({ name, bus }) => [name, bus])).toEqual([
    ["root", "sata"],
    ["data-1", "sata"],
  ]);
  expect(nics).toEqual([{ portGroup: "office", model: "e1000e" }]);
  expect(refusal(() => describe({ diskBus: "sata" }))).toMatch(/^USAGE: --disk-bus needs a disk/);
  expect(refusal(() => describe({ nicModel: "e1000" }))).toMatch(/^USAGE: --nic-model needs a NIC/);
});

test("a disk is linked to an image of the library, and to no other file", () => {
  const libraryImage = {
    datastore: "shared",
    path: "images/debian.0a1b2c3d.qcow2",
    format: "qcow2" as const,
  };
  const flags = { image: "debian", libraryImage, linked: true, disk: [20_480] };
  expect(describe(flags).disks).toEqual([
    {
      ...{ name: "root", image: libraryImage.path, imageDatastore: "shared", imageFormat: "qcow2" },
      ...{ format: "qcow2", sizeMib: 20_480, linked: true },
    },
  ]);
  expect(describe({ image: "debian", libraryImage }).disks[0]).not.toHaveProperty("linked");
  expect(describesVm({ linked: true })).toBe(true);
  expect(refusal(() => describe({ image: "images/debian.qcow2", linked: true }))).toMatch(
    /--linked needs --image with an image of the library/,
  );
  expect(refusal(() => describe({ ...flags, format: "raw" }))).toMatch(/a linked disk is a qcow2 image/);
});
