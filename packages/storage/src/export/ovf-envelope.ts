/** A VM as an OVF envelope (DMTF DSP0243, version 1), in the words that VMware, VirtualBox and `godwit vm import` read. Pure. */
import { hasSeed, type NicModel, type Vm, type VmDisk, type VmExported } from "@godwit/contract";

export interface ExportedDisk {
  name: string;
  /** Of its image in the package. */
  file: string;
  /** Of that file. */
  bytes: number;
  /** That the guest sees. */
  capacityBytes: number;
}

const namespaces = {
  xmlns: "http://schemas.dmtf.org/ovf/envelope/1",
  "xmlns:ovf": "http://schemas.dmtf.org/ovf/envelope/1",
  "xmlns:rasd": "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData",
  "xmlns:vssd": "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData",
  "xmlns:vmw": "http://www.vmware.com/schema/ovf",
};
const streamOptimized = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized";
/** Where the package says which export made it. */
const exportKey = "godwit.export";

/** @param id of the export */
export function ovfEnvelope(vm: Vm, disks: readonly ExportedDisk[], id: string): string {
  const networks = [...new Set(vm.nics.map(({ portGroup }) => portGroup))];
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element("Envelope", namespaces, [
    element(
      "References",
      {},
      disks.map(({ name, file, bytes }) =>
        element("File", { "ovf:id": `file-${name}`, "ovf:href": file, "ovf:size": bytes }),
      ),
    ),
    element("DiskSection", {}, [
      info("Virtual disks"),
      ...disks.map(({ name, capacityBytes, bytes }) =>
        element("Disk", {
          ...{ "ovf:diskId": `disk-${name}`, "ovf:fileRef": `file-${name}`, "ovf:format": streamOptimized },
          ...{
            "ovf:capacity": capacityBytes,
            "ovf:capacityAllocationUnits": "byte",
            "ovf:populatedSize": bytes,
          },
        }),
      ),
    ]),
    element("NetworkSection", {}, [
      info("Networks"),
      ...networks.map((name) => element("Network", { "ovf:name": name }, [info(`Port group ${name}`)])),
    ]),
    element("VirtualSystem", { "ovf:id": vm.name }, [
      info("A virtual machine"),
      text("Name", vm.name),
      // 101: other 64-bit system; nothing says what is installed.
      element("OperatingSystemSection", { "ovf:id": 101 }, [info("The guest's operating system")]),
      ...annotation(vm),
      hardware(vm, id),
    ]),
  ])}\n`;
}

/** Whether this is the beginning of an archive that the export with this id has written. */
export const isOfExport = (beginning: string, id: string): boolean =>
  beginning.includes(`vmw:key="${exportKey}" vmw:value="${id}"`);

/** What a VM of Godwit has and the package has not. */
export function notExported(vm: Vm): VmExported["notCarried"] {
  const drives = (vm.cdroms ?? []).filter(({ medium }) => medium !== null);
  const has = (value: unknown, what: string, reason: string) =>
    value === undefined ? [] : [{ what, reason }];
  return [
    ...drives.map(({ name }) => ({
      what: `the ISO image in drive ${name}`,
      reason: "the drive is exported empty",
    })),
    ...(hasSeed(vm)
      ? [{ what: "cloud-init data", reason: "the guest was set up with them at its first boot" }]
      : []),
    ...(vm.snapshots ?? []).map(({ name }) => ({
      what: `snapshot ${name}`,
      reason: "the disks are exported as they are now",
    })),
    ...has(
      vm.firmware,
      "UEFI variables",
      "an OVF package has none; the guest's boot entries are made again there",
    ),
    ...has(
      vm.tpm,
      "the TPM",
      "its keys are the VM's alone: what the guest has sealed with them cannot be read there",
    ),
    ...has(vm.boot, "the kernel that the VM is booted with", "an OVF package boots from its disks"),
    ...has(vm.cpuWish, "CPU features that were asked for", "an OVF package has no words for them"),
    ...has(vm.tags, `the tags ${(vm.tags ?? []).join(", ")}`, "an OVF package has no words for them"),
    ...has(vm.hostDevices, "devices of its host", "they are of a host"),
    ...has(vm.hugepages, "huge pages", "they are of a host"),
    ...has(
      vm.topology?.threads === 1 ? undefined : vm.topology,
      "the CPU topology",
      "an OVF package has no words for threads of a core",
    ),
    ...has(vm.bootOrder, "the boot order", "an OVF package has no words for it"),
    ...has(vm.balloon?.targetMib, "the memory target", "an OVF package has no words for it"),
    ...has(vm.maxMemoryMib, "the maximum of memory", "an OVF package has no words for it"),
    ...has(vm.numa, "the guest's NUMA nodes", "an OVF package has no words for them"),
    ...has(vm.cpuAffinity, "the CPU affinity", "it is of a host"),
    ...vm.nics.flatMap(({ addresses }, index) =>
      addresses === undefined
        ? []
        : [
            {
              what: `the addresses that NIC ${String(index)} may send from`,
              reason: "an OVF package has no words for them",
            },
          ],
    ),
  ];
}

const annotation = ({ notes }: Vm): string[] =>
  notes === undefined ? [] : [element("AnnotationSection", {}, [info("Notes"), text("Annotation", notes)])];

function hardware(vm: Vm, id: string): string {
  return element("VirtualHardwareSection", {}, [
    info("Virtual hardware"),
    element("System", {}, [
      text("vssd:ElementName", "Virtual Hardware Family"),
      text("vssd:InstanceID", 0),
      text("vssd:VirtualSystemIdentifier", vm.name),
      text("vssd:VirtualSystemType", "vmx-14"),
    ]),
    item(
      {
        ElementName: `${String(vm.vcpus)} vCPU`,
        InstanceID: 1,
        ResourceType: 3,
        VirtualQuantity: vm.vcpus,
      },
      coresPerSocket(vm),
    ),
    item({
      ...{
        AllocationUnits: "byte * 2^20",
        ElementName: `${String(vm.memoryMib)} MiB of memory`,
        InstanceID: 2,
      },
      ...{ ResourceType: 4, VirtualQuantity: vm.memoryMib },
    }),
    ...disks(vm),
    ...drives(vm),
    ...vm.nics.map(({ portGroup, mac, model }, index) =>
      item({
        ...{ Address: mac, AddressOnParent: index, AutomaticAllocation: "true", Connection: portGroup },
        ...{ ElementName: `ethernet${String(index)}`, InstanceID: 100 + index },
        ...{ ResourceSubType: nicType(model), ResourceType: 10 },
      }),
    ),
    ...firmware(vm),
    setting("vmw:ExtraConfig", exportKey, id),
  ]);
}

/** In VMware's word, which knows no threads. */
const coresPerSocket = ({ topology }: Vm): string[] =>
  topology?.threads === 1
    ? [`<vmw:CoresPerSocket ovf:required="false">${String(topology.cores)}</vmw:CoresPerSocket>`]
    : [];

/** Those on SATA stay so; all others are on an LSI SCSI controller. */
function disks(vm: Vm): string[] {
  const [scsiController, sataController] = [3, 8];
  const isSata = (disk: VmDisk) => disk.bus === "sata";
  const scsi = item({
    ...{ Address: 0, ElementName: "SCSI controller 0", InstanceID: scsiController },
    ...{ ResourceSubType: "lsilogic", ResourceType: 6 },
  });
  const sata = item({
    ...{ Address: 0, ElementName: "SATA controller 0", InstanceID: sataController },
    ...{ ResourceSubType: "vmware.sata.ahci", ResourceType: 20 },
  });
  let [onScsi, onSata] = [0, 0];
  const all = vm.disks.map((disk, index) => {
    // 7 is the SCSI controller itself.
    const place = isSata(disk) ? onSata++ : ((at) => (at < 7 ? at : at + 1))(onScsi++);
    return item({
      ...{ AddressOnParent: place, ElementName: disk.name, HostResource: `ovf:/disk/disk-${disk.name}` },
      ...{ InstanceID: 10 + index, Parent: isSata(disk) ? sataController : scsiController, ResourceType: 17 },
    });
  });
  return [...(onScsi > 0 || onSata === 0 ? [scsi] : []), ...(onSata > 0 ? [sata] : []), ...all];
}

/** In VMware's words. */
const nicType = (model: NicModel | undefined): string =>
  ({ virtio: "VmxNet3", e1000e: "E1000e", e1000: "E1000" })[model ?? "virtio"];

/** Empty; an IDE controller takes two. */
function drives({ cdroms = [] }: Vm): string[] {
  const firstController = 4;
  const controllers = Array.from({ length: Math.ceil(cdroms.length / 2) }, (_, index) =>
    item({
      ...{ Address: index, ElementName: `IDE controller ${String(index)}` },
      ...{ InstanceID: firstController + index, ResourceType: 5 },
    }),
  );
  const all = cdroms.map(({ name }, index) =>
    item({
      ...{ AddressOnParent: index % 2, AutomaticAllocation: "false", ElementName: name },
      ...{ InstanceID: 200 + index, Parent: firstController + Math.floor(index / 2), ResourceType: 15 },
    }),
  );
  return [...controllers, ...all];
}

function firmware({ firmware }: Vm): string[] {
  if (firmware === undefined) return [];
  return [
    setting("vmw:Config", "firmware", "efi"),
    ...(firmware.secureBoot ? [setting("vmw:Config", "bootOptions.efiSecureBootEnabled", "true")] : []),
  ];
}

const info = (words: string): string => text("Info", words);
const setting = (name: string, key: string, value: string): string =>
  element(name, { "ovf:required": "false", "vmw:key": key, "vmw:value": value });

/** Fields in the order that CIM's schema has them in: by the alphabet. @param others that CIM does not know, which come last */
const item = (fields: Readonly<Record<string, string | number>>, others: readonly string[] = []): string =>
  element(
    "Item",
    {},
    Object.entries(fields)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => text(`rasd:${name}`, value))
      .concat(others),
  );

const text = (name: string, value: string | number): string => `<${name}>${escaped(value)}</${name}>`;

function element(
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  children: readonly string[] = [],
): string {
  const words = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(value)}"`);
  const open = `<${name}${words.join("")}`;
  return children.length === 0 ? `${open}/>` : `${open}>\n${children.join("\n")}\n</${name}>`;
}

const escaped = (value: string | number): string =>
  String(value).replace(/[&<>"]/g, (character) => `&#${String(character.charCodeAt(0))};`);
