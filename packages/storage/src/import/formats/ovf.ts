/**
 * OVF envelopes (DMTF DSP0243, versions 1 and 2), as VMware and VirtualBox write them. Names are read without their
 * prefixes. Pure; any text is fine.
 */
import { isMaskKey, parseXml, type XmlElement } from "@godwit/cpu";
import {
  devices,
  ImportProblem,
  topologyOf,
  type ForeignCdrom,
  type ForeignDisk,
  type ForeignNic,
  type ForeignVm,
  type NotCarried,
} from "../foreign-vm.ts";

/** CIM's numbers of kinds of hardware (`ResourceType`). */
const kinds = {
  ...{ vcpus: "3", memory: "4", ide: "5", scsi: "6", nic: "10", floppy: "14", cdrom: "15", dvd: "16" },
  ...{ disk: "17", otherStorage: "20", serial: "21", parallel: "22", usb: "23", video: "24", sound: "35" },
} as const;

/** A part of the hardware: its fields by their names without prefix. */
interface Item {
  fields: ReadonlyMap<string, string>;
  /** VMware's settings of it. */
  configs: ReadonlyMap<string, string>;
}

/** @throws ImportProblem */
export function readOvf(text: string): ForeignVm {
  const envelope = parseXml(text, (line, problem) => new ImportProblem(`line ${String(line)}: ${problem}`));
  if (local(envelope.name) !== "Envelope") throw new ImportProblem("it is no OVF envelope");
  if (under(envelope, "VirtualSystemCollection").length > 0)
    throw new ImportProblem(
      "it is a vApp of several VMs, and one VM is imported at a time: export each by itself",
    );
  const [system] = under(envelope, "VirtualSystem");
  const [hardware] = system === undefined ? [] : under(system, "VirtualHardwareSection");
  if (system === undefined || hardware === undefined) throw new ImportProblem("it describes no VM");
  const items = ["Item", "StorageItem", "EthernetPortItem"]
    .flatMap((name) => under(hardware, name))
    .map(itemOf);
  const [cpus] = of(items, kinds.vcpus);
  const vcpus = wholeNumber(cpus?.fields.get("VirtualQuantity")) ?? 1;
  const settings = new Map([...configsOf(hardware, "Config"), ...configsOf(hardware, "ExtraConfig")]);
  return {
    name: under(system, "Name")[0]?.text ?? attribute(system, "id"),
    memoryMib: memoryOf(of(items, kinds.memory)[0]),
    vcpus,
    // VMware's own field.
    ...topologyOf(vcpus, wholeNumber(cpus?.fields.get("CoresPerSocket"))),
    uefi: settings.get("firmware")?.toLowerCase() === "efi" || isEfiOfVirtualBox(system),
    secureBoot: settings.get("bootOptions.efiSecureBootEnabled")?.toLowerCase() === "true",
    guestAgent: false,
    tpm: items.some(isTpm),
    windows: isWindows(system),
    masks: [...configsOf(hardware, "ExtraConfig")].filter(([key]) => isMaskKey(key)),
    disks: disksOf(envelope, items),
    nics: of(items, kinds.nic).map(nicOf),
    cdroms: [...of(items, kinds.cdrom), ...of(items, kinds.dvd)].map(cdromOf),
    notes: notesOf(system),
    notCarried: notCarriedOf(system, items),
  };
}

const local = (name: string): string => name.split(":").at(-1) ?? name;
const under = (element: XmlElement, name: string): XmlElement[] =>
  element.children.filter((child) => local(child.name) === name);
const attribute = (element: XmlElement, name: string): string | null =>
  [...element.attributes].find(([key]) => local(key) === name)?.[1] ?? null;
const wholeNumber = (value: string | undefined): number | null =>
  value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : null;

const itemOf = (element: XmlElement): Item => ({
  fields: new Map(element.children.map((child) => [local(child.name), child.text])),
  configs: configsOf(element, "Config"),
});

const configsOf = (element: XmlElement, name: string): Map<string, string> =>
  new Map(under(element, name).map((one) => [attribute(one, "key") ?? "", attribute(one, "value") ?? ""]));

const of = (items: readonly Item[], kind: string): Item[] =>
  items.filter(({ fields }) => fields.get("ResourceType") === kind);

/** By VMware's name of it. */
const isTpm = ({ fields }: Item): boolean => /vtpm/i.test(fields.get("ResourceSubType") ?? "");

const labelOf = ({ fields }: Item): string => fields.get("ElementName") ?? fields.get("Caption") ?? "device";

/** `byte * 2^20`, `MegaBytes`; absent: bytes. Null: none of these. */
function unitBytes(unit: string | undefined): number | null {
  const words: Readonly<Record<string, number>> = {
    byte: 1,
    bytes: 1,
    kilobytes: 1024,
    megabytes: 1048576,
    gigabytes: 2 ** 30,
  };
  if (unit === undefined || unit === "") return 1;
  const [, power] = /^byte\s*\*\s*2\^(\d{1,2})$/i.exec(unit.trim()) ?? [];
  return power === undefined ? (words[unit.trim().toLowerCase()] ?? null) : 2 ** Number(power);
}

function memoryOf(item: Item | undefined): number | null {
  const quantity = wholeNumber(item?.fields.get("VirtualQuantity"));
  const unit = unitBytes(item?.fields.get("AllocationUnits") ?? "byte * 2^20");
  return quantity === null || unit === null ? null : Math.ceil((quantity * unit) / 1048576);
}

function disksOf(envelope: XmlElement, items: readonly Item[]): ForeignDisk[] {
  const files = new Map(
    under(envelope, "References")
      .flatMap((one) => under(one, "File"))
      .map((file) => [attribute(file, "id"), file]),
  );
  const described = new Map(
    under(envelope, "DiskSection")
      .flatMap((one) => under(one, "Disk"))
      .map((disk) => [attribute(disk, "diskId"), disk]),
  );
  return of(items, kinds.disk).map((item) => {
    const host = item.fields.get("HostResource") ?? "";
    const [, kind, id = ""] = /^(?:ovf:)?\/(disk|file)\/(.+)$/.exec(host) ?? [];
    const disk = kind === "disk" ? described.get(id) : undefined;
    const file = files.get(kind === "file" ? id : disk === undefined ? null : attribute(disk, "fileRef"));
    const href = file === undefined ? "" : (attribute(file, "href") ?? "");
    const unusable = unusableBecause(disk, file, href);
    return {
      label: labelOf(item),
      controller: controllerOf(item, items),
      files: [href],
      format: /vmdk/i.test((disk === undefined ? null : attribute(disk, "format")) ?? "") ? "vmdk" : null,
      ...(unusable === null ? {} : { unusable }),
    };
  });
}

function unusableBecause(
  disk: XmlElement | undefined,
  file: XmlElement | undefined,
  href: string,
): string | null {
  if (disk !== undefined && attribute(disk, "parentRef") !== null)
    return "it holds only what differs from another disk: export the VM without snapshots";
  if (file === undefined || href === "") return "the package has no image of it";
  if (attribute(file, "chunkSize") !== null) return "its image is cut into chunks: export it in one piece";
  const compression = attribute(file, "compression") ?? "identity";
  if (compression !== "" && compression !== "identity")
    return `its image is packed by ${compression}: unpack it first`;
  return /[/\\]/.test(href) ? `its image (${href}) lies in another folder` : null;
}

function controllerOf({ fields }: Item, items: readonly Item[]): string | null {
  const parent = items.find((one) => one.fields.get("InstanceID") === fields.get("Parent"));
  if (parent === undefined) return null;
  const type = parent.fields.get("ResourceType");
  return (
    parent.fields.get("ResourceSubType") ?? (type === kinds.ide ? "ide" : type === kinds.scsi ? "scsi" : null)
  );
}

const nicOf = (item: Item): ForeignNic => ({
  label: labelOf(item),
  network: item.fields.get("Connection") ?? null,
  mac: item.fields.get("Address") ?? null,
  model: item.fields.get("ResourceSubType") ?? null,
});

const cdromOf = (item: Item): ForeignCdrom => ({
  label: labelOf(item),
  medium: item.fields.get("HostResource") ?? null,
});

/** By VMware's name of the guest's operating system, or by a person's. */
const isWindows = (system: XmlElement): boolean =>
  under(system, "OperatingSystemSection").some(
    (one) =>
      /^win/i.test(attribute(one, "osType") ?? "") ||
      under(one, "Description").some(({ text }) => /windows/i.test(text)),
  );

function notesOf(system: XmlElement): string | null {
  const texts = under(system, "AnnotationSection").flatMap((one) =>
    under(one, "Annotation").map(({ text }) => text),
  );
  return texts.length === 0 ? null : texts.join("\n");
}

const isEfiOfVirtualBox = (system: XmlElement): boolean =>
  under(system, "Machine")
    .flatMap((machine) => under(machine, "Hardware"))
    .flatMap((hardware) => under(hardware, "Firmware"))
    .some((firmware) => /^efi/i.test(attribute(firmware, "type") ?? ""));

function notCarriedOf(system: XmlElement, items: readonly Item[]): NotCarried[] {
  const named = (kind: string) => of(items, kind).map(labelOf);
  const properties = under(system, "ProductSection").flatMap((one) => under(one, "Property"));
  const known: readonly string[] = Object.values(kinds);
  const others = items.filter((one) => !known.includes(one.fields.get("ResourceType") ?? "") && !isTpm(one));
  return [
    ...devices("floppy drives", named(kinds.floppy)),
    ...devices("serial ports", named(kinds.serial), "each VM has one serial port, its console"),
    ...devices("parallel ports", named(kinds.parallel)),
    ...devices("USB", named(kinds.usb)),
    ...devices("sound", named(kinds.sound)),
    ...devices("display", named(kinds.video), "the console is the serial port: godwit vm console"),
    ...devices("other devices", others.map(labelOf)),
    ...devices(
      "properties of the product (vApp)",
      properties.map((one) => attribute(one, "key") ?? "property"),
      "they are read by VMware's tools in the guest",
    ),
  ];
}
