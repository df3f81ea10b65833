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
    "2 cores per socket",
    "hardware virtualization in the guest",
    "shares, reservations, limits and affinity (sched.*)",
    "the notes",
    "guestinfo.*",
  ]);
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
  expect(left(vm)).toEqual([
    "display: Video card",
    "properties of the product (vApp): admin.password",
    "the notes",
  ]);
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
