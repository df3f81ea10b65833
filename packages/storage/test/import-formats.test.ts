/** Other products' descriptions of VMs, read as text: what they say, what was left out, and that no text breaks a reader. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { expect, test } from "vitest";
import { plainName } from "../src/import/draft.ts";
import { ImportProblem, type ForeignVm } from "../src/import/foreign-vm.ts";
import { readLibvirt } from "../src/import/formats/libvirt.ts";
import { readOvf } from "../src/import/formats/ovf.ts";
import { readProxmox } from "../src/import/formats/proxmox.ts";
import { readVmx } from "../src/import/formats/vmx.ts";
import { readManifest } from "../src/import/manifest.ts";
import { paxRecords, tarHeader } from "../src/import/tar-header.ts";
import { sparseHeader, vmdkDescriptor } from "../src/vmdk.ts";

const fixture = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`fixtures/import/${name}`, import.meta.url)), "utf8");
const left = ({ notCarried }: ForeignVm) => notCarried.map(({ what }) => what);
const mask = "----:----:----:---0:----:----:----:----";

test("a .vmx: disks in the BIOS's order, MAC addresses, EFI, CPU masks; what a VM of Godwit has not is listed", () => {
  const vm = readVmx(fixture("web.vmx"));
  expect(vm).toMatchObject({
    ...{ name: "Web Server (old)", memoryMib: 4096, vcpus: 4, uefi: true, secureBoot: true, tpm: true },
    topology: { sockets: 2, cores: 2, threads: 1 },
    disks: [
      { label: "scsi0:0", controller: "pvscsi", files: ["Web Server (old).vmdk"], format: "vmdk" },
      { label: "scsi0:1", controller: "pvscsi", files: ["Web Server (old)_1.vmdk"], format: "vmdk" },
    ],
    nics: [
      { label: "ethernet0", network: "VM Network", mac: "00:50:56:9A:11:22", model: "vmxnet3" },
      { label: "ethernet1", network: "Backup = night", mac: "00:50:56:00:00:07", model: "e1000" },
    ],
    cdroms: [{ label: "sata0:0", medium: "/vmfs/volumes/isos/debian-11.iso" }],
    masks: [
      ["cpuid.1.ecx", mask],
      ["cpuid.80000001.edx", "nonsense"],
    ],
  });
  expect(left(vm)).toEqual([
    "PCI devices of the host: pcipassthru0",
    "serial ports: serial0",
    "hardware virtualization in the guest",
    "shares, reservations, limits and affinity (sched.*)",
    "guestinfo.*",
  ]);
  expect(vm.notes).toBe('bought 2019\nasks for "Hans"');
});

test("a .vmx of an encrypted VM, or of none, is refused", () => {
  expect(() => readVmx('memsize = "512"\nencryption.keySafe = "vmware:key/list"')).toThrow("encrypted");
  expect(() => readVmx("hello")).toThrow(ImportProblem);
});

test("an OVF envelope: disks by reference, units, VMware's own settings", () => {
  const vm = readOvf(fixture("appliance.ovf"));
  expect(vm).toMatchObject({
    ...{
      name: "Appliance",
      memoryMib: 1024,
      vcpus: 2,
      uefi: true,
      secureBoot: false,
      masks: [["cpuid.1.ecx", mask]],
    },
    disks: [
      { label: "Hard Disk 1", controller: "VirtualSCSI", files: ["appliance-disk1.vmdk"], format: "vmdk" },
    ],
    nics: [{ label: "Network adapter 1", network: "VM Network", mac: null, model: "VmxNet3" }],
    cdroms: [{ label: "CD/DVD drive 1", medium: null }],
  });
  expect(left(vm)).toEqual(["display: Video card", "properties of the product (vApp): admin.password"]);
  expect(vm.notes).toBe("made by hand");
});

test("an OVF disk that is a snapshot's, packed, in pieces or in another folder says so", () => {
  const text = fixture("appliance.ovf");
  const unusable = (from: string, to: string) => readOvf(text.replace(from, to)).disks[0]?.unusable;
  expect(unusable('ovf:diskId="vmdisk1"', 'ovf:diskId="vmdisk1" ovf:parentRef="vmdisk0"')).toMatch(
    "snapshots",
  );
  expect(unusable('ovf:size="65536"', 'ovf:size="65536" ovf:compression="gzip"')).toMatch("gzip");
  expect(unusable('ovf:size="65536"', 'ovf:size="65536" ovf:chunkSize="1000"')).toMatch("chunks");
  expect(unusable("appliance-disk1.vmdk", "../../etc/shadow")).toMatch("another folder");
  expect(unusable("ovf:/disk/vmdisk1", "ovf:/disk/other")).toMatch("no image");
});

test("an XML bomb, a document type and XML without end are refused, and quickly", () => {
  const bomb = `<!DOCTYPE Envelope [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><Envelope>&b;</Envelope>`;
  expect(() => readOvf(bomb)).toThrow("document type");
  expect(() => readOvf("<Envelope>&lol;</Envelope>")).toThrow(ImportProblem);
  expect(() => readOvf("<a>".repeat(100_000))).toThrow(ImportProblem);
  expect(() => readLibvirt(`<domain>${"<x/>".repeat(300_000)}</domain>`)).toThrow(ImportProblem);
});

test("what a guest has of its memory is read where it is fixed; what Proxmox chooses by itself is said", () => {
  const domain = (more: string) =>
    readLibvirt(`<domain><memory unit='MiB'>2048</memory>${more}</domain>`).memoryTargetMib;
  expect(domain("<currentMemory unit='KiB'>1048576</currentMemory>")).toBe(1024);
  expect(domain("")).toBeUndefined();
  const none = "<devices><memballoon model='none'/></devices>";
  expect(domain(`<currentMemory unit='MiB'>1024</currentMemory>${none}`)).toBeUndefined();
  const proxmox = (more: string) => readProxmox(`memory: 2048\n${more}`);
  expect(proxmox("balloon: 1024\nshares: 0").memoryTargetMib).toBe(1024);
  expect(proxmox("balloon: 0").memoryTargetMib).toBeUndefined();
  expect(left(proxmox("balloon: 0"))).toEqual([]);
  const automatic = proxmox("balloon: 1024\nshares: 500");
  expect(automatic.memoryTargetMib).toBeNull();
  expect(left(automatic)).toEqual(["balloon: 1024"]);
  const vmx = readVmx(`${fixture("web.vmx")}\nsched.mem.max = "1024"\n`);
  expect(vmx.memoryTargetMib).toBeUndefined();
  expect(left(vmx)).toContain("memory limit sched.mem.max = 1024");
});

test("a maximum of memory is read where it is said; memory hot plug without one is said not to be carried", () => {
  const domain = (more: string) => readLibvirt(`<domain><memory unit='MiB'>2048</memory>${more}</domain>`);
  expect(domain("<maxMemory slots='16' unit='GiB'>8</maxMemory>").maxMemoryMib).toBe(8192);
  expect(domain("").maxMemoryMib).toBeUndefined();
  const devices = "<devices><memory model='dimm'/><memory model='nvdimm'/></devices>";
  expect(left(domain(devices))).toEqual(["device memory"]);
  expect(left(domain("<devices><memory model='dimm'/></devices>"))).toEqual([]);
  const hotplug = (kinds: string) => left(readProxmox(`memory: 2048\nhotplug: ${kinds}`));
  expect(hotplug("network,disk,memory")).toEqual(["hotplug: network,disk,memory"]);
  expect(hotplug("network,disk,usb")).toEqual([]);
  expect(left(readVmx(`${fixture("web.vmx")}\nmem.hotadd = "TRUE"\n`))).toContain("memory hot plug");
  expect(left(readVmx(`${fixture("web.vmx")}\nmem.hotadd = "FALSE"\n`))).not.toContain("memory hot plug");
});

test("the boot order is read from each format in its own labels; none is made up", () => {
  const vmx = readVmx(
    `${fixture("web.vmx")}\nbios.bootOrder = "ethernet1,CDROM, hdd"\nbios.hddOrder = "scsi0:1"\n`,
  );
  expect(vmx.bootOrder).toEqual(["ethernet1", "sata0:0", "scsi0:1", "scsi0:0"]);
  expect(readVmx(fixture("web.vmx")).bootOrder).toBeUndefined();
  expect(readProxmox(fixture("100.conf")).bootOrder).toEqual(["scsi1", "scsi0", "net0"]);
  expect(readLibvirt(fixture("db.xml")).bootOrder).toEqual(["vda", "sda"]);
  const domain = (os: string) =>
    readLibvirt(
      `<domain><memory>1</memory><os>${os}</os><devices><disk device='floppy'><target dev='fda'/></disk><disk><target dev='vda'/></disk><disk><target dev='vdb'/></disk>
       <disk device='cdrom'><target dev='sda'/></disk><interface type='network'/></devices></domain>`,
    ).bootOrder;
  expect(domain("<boot dev='network'/><boot dev='fd'/><boot dev='cdrom'/><boot dev='hd'/>")).toEqual([
    ...["interface 0", "sda", "vda"],
  ]);
  expect(domain("")).toEqual([]);
});

test("sockets, cores and threads are read from each format, as far as it says them", () => {
  const vmx = (text: string) => readVmx(`memsize = "512"\n${text}`).topology;
  expect(vmx('numvcpus = "4"')).toBeUndefined();
  expect(vmx('numvcpus = "4"\ncpuid.coresPerSocket = "0"')).toBeUndefined();
  expect(vmx('numvcpus = "4"\ncpuid.coresPerSocket = "1"')).toEqual({ sockets: 4, cores: 1, threads: 1 });
  const pve = (text: string) => readProxmox(`memory: 512\n${text}`);
  expect(pve("sockets: 2\ncores: 3")).toMatchObject({
    ...{ vcpus: 6, topology: { sockets: 2, cores: 3, threads: 1 } },
  });
  expect(pve("name: a").topology).toBeUndefined();
  const ovf = fixture("appliance.ovf");
  expect(readOvf(ovf).topology).toBeUndefined();
  const item = "<rasd:ResourceType>3</rasd:ResourceType>";
  const said = `${item}<vmw:CoresPerSocket ovf:required="false">1</vmw:CoresPerSocket>`;
  expect(readOvf(ovf.replace(item, said)).topology).toEqual({ sockets: 2, cores: 1, threads: 1 });
  const domain = (cpu: string) =>
    readLibvirt(`<domain><memory>1</memory><vcpu>16</vcpu>${cpu}</domain>`).topology;
  expect(domain("<cpu mode='host-model'/>")).toBeUndefined();
  expect(domain("<cpu><topology sockets='2' dies='2' cores='2' threads='2'/></cpu>")).toEqual({
    ...{ sockets: 2, cores: 4, threads: 2 },
  });
  expect(domain("<cpu><topology sockets='-2' cores='x'/></cpu>")).toEqual({
    ...{ sockets: 1, cores: 1, threads: 1 },
  });
});

test("libvirt's XML: disks in boot order, VLANs, the guest agent's channel", () => {
  const vm = readLibvirt(fixture("db.xml"));
  expect(vm).toMatchObject({
    ...{ name: "db", memoryMib: 2048, vcpus: 2, uefi: true, secureBoot: true, guestAgent: true },
    disks: [
      { label: "vda", controller: "virtio", files: ["db.qcow2"], format: "qcow2" },
      { label: "sda", controller: "sata", files: ["db-log.img"], format: "raw" },
      { label: "vdb", files: ["db-data.raw", "db-data.img", "db-data.qcow2"], format: "raw" },
    ],
    nics: [{ network: "br0.20", mac: "52:54:00:AA:BB:CC", model: "virtio" }],
    cdroms: [{ label: "sdb", medium: null }],
  });
  expect(left(vm)).toEqual([
    "device hostdev",
    "display",
    "cpu host-passthrough",
    "cputune, numatune and memoryBacking",
  ]);
});

test("a libvirt title and description are notes; so are the comments that Proxmox writes, beside its tags", () => {
  const domain = (words: string) =>
    readLibvirt(`<domain><name>a</name><memory>1</memory>${words}</domain>`).notes;
  expect(domain("<title>DB</title><description>of the shop\n&amp; others</description>")).toBe(
    "DB\nof the shop\n& others",
  );
  expect(domain("")).toBeNull();
  const vm = readProxmox(
    "#ask Ada%3A first\n#100% sure\nname: a\ntags: prod;web\n[old]\n#a snapshot's\ntags: test",
  );
  expect(vm).toMatchObject({ notes: "ask Ada: first\n100% sure", tags: ["prod", "web"] });
});

test("a Proxmox configuration: what holds now, and not what stands in its snapshots", () => {
  const vm = readProxmox(fixture("100.conf"));
  expect(vm).toMatchObject({
    ...{ name: "files", memoryMib: 3072, vcpus: 4, uefi: true, secureBoot: true, guestAgent: true },
    disks: [
      { label: "scsi1", controller: "virtio-scsi-single", files: ["vm-100-disk-0.qcow2"] },
      {
        label: "scsi0",
        files: ["vm-100-disk-1.raw", "vm-100-disk-1.img", "vm-100-disk-1.qcow2", "vm-100-disk-1.vmdk"],
      },
    ],
    nics: [
      { label: "net0", network: "vmbr0.10", mac: "BC:24:11:00:11:22", model: "virtio" },
      { label: "net1", network: "vmbr1", mac: "BC:24:11:00:11:23", model: "e1000" },
    ],
    cdroms: [{ label: "ide2", medium: "local:iso/debian-12.iso" }],
  });
  expect(left(vm)).toEqual([
    "PCI devices of the host: hostpci0",
    "cpu: x86-64-v2-AES",
    "snapshots: before-upgrade",
  ]);
});

test("a manifest: each algorithm by its length, no file twice", () => {
  const hex = "AB".repeat(32);
  expect(readManifest(`SHA256(a.ovf)= ${hex}\r\nSHA1(b c.vmdk) = ${"0".repeat(40)}\n`)).toEqual(
    new Map([
      ["a.ovf", `sha256:${hex.toLowerCase()}`],
      ["b c.vmdk", `sha1:${"0".repeat(40)}`],
    ]),
  );
  expect(() => readManifest(`SHA256(a.ovf)= ${"0".repeat(40)}`)).toThrow(ImportProblem);
  expect(() => readManifest(`SHA1(a)= ${"0".repeat(40)}\nSHA1(a)= ${"1".repeat(40)}`)).toThrow("twice");
});

test("a descriptor says what it refers to, and whether it is a snapshot's", () => {
  const head = "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n";
  expect(vmdkDescriptor(`${head}RW 2048 FLAT "a b-flat.vmdk" 0\nRW 8 ZERO\n`)).toEqual({
    extents: [
      { sectors: 2048, type: "FLAT", file: "a b-flat.vmdk", offset: 0 },
      { sectors: 8, type: "ZERO", file: "", offset: 0 },
    ],
    hasParent: false,
  });
  expect(vmdkDescriptor(head.replace("ffffffff", "12345678"))?.hasParent).toBe(true);
  expect(vmdkDescriptor(`${head}parentFileNameHint="/etc/shadow"\n`)?.hasParent).toBe(true);
  expect(vmdkDescriptor("KDMV")).toBe(null);
});

/** Fixtures with pieces of them cut, doubled and replaced. */
const changed = (text: string) =>
  fc
    .array(fc.tuple(fc.nat(text.length), fc.nat(60), fc.string({ maxLength: 12 })), {
      minLength: 1,
      maxLength: 8,
    })
    .map((changes) =>
      changes.reduce((all, [at, length, put]) => all.slice(0, at) + put + all.slice(at + length), text),
    );

test.each([
  ["web.vmx", readVmx],
  ["appliance.ovf", readOvf],
  ["db.xml", readLibvirt],
  ["100.conf", readProxmox],
] as const)("whatever %s becomes, it is read or refused in words", (name, read) => {
  fc.assert(
    fc.property(changed(fixture(name)), (text) => {
      try {
        const { vcpus, memoryMib } = read(text);
        expect(Number.isSafeInteger(vcpus) && (memoryMib === null || Number.isFinite(memoryMib))).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(ImportProblem);
      }
    }),
    { numRuns: 300 },
  );
});

test("no bytes break the readers of archives and images", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      const buffer = Buffer.from(bytes);
      sparseHeader(buffer);
      vmdkDescriptor(buffer.toString("latin1"));
      for (const read of [() => tarHeader(buffer), () => paxRecords(buffer)])
        try {
          read();
        } catch (error) {
          expect(error).toBeInstanceOf(ImportProblem);
        }
    }),
  );
});

test("any name becomes one that a VM can have, or none", () => {
  expect(plainName("Web Server (old)")).toBe("web-server-old");
  expect(plainName("Köln №5")).toBe("koln-no5");
  expect(plainName("***")).toBe(null);
  fc.assert(
    fc.property(fc.string(), (name) => {
      expect(plainName(name) ?? "x").toMatch(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/);
    }),
  );
});
