/** libvirt's domain XML (`virsh dumpxml`). Pure; any text is fine. */
import type { ImageFormat } from "@godwit/contract";
import { childOf, parseXml, type XmlElement } from "@godwit/cpu";
import {
  baseName,
  ImportProblem,
  noSuchDevice,
  type ForeignDisk,
  type ForeignVm,
  type NotCarried,
} from "../foreign-vm.ts";

const formats: Readonly<Record<string, ImageFormat>> = {
  ...{ raw: "raw", qcow2: "qcow2", vmdk: "vmdk", vdi: "vdi", vhdx: "vhdx", vpc: "vpc" },
};

/** @throws ImportProblem */
export function readLibvirt(text: string): ForeignVm {
  const root = parseXml(text, (line, problem) => new ImportProblem(`line ${String(line)}: ${problem}`));
  const domain = root.name === "domain" ? root : childOf(root, "domain");
  if (domain === undefined) throw new ImportProblem("it has no element domain");
  const os = childOf(domain, "os");
  const type = os === undefined ? undefined : childOf(os, "type");
  const arch = type?.attributes.get("arch") ?? "x86_64";
  if (arch !== "x86_64" && arch !== "i686") throw new ImportProblem(`it is a VM of architecture ${arch}`);
  const all = childOf(domain, "devices")?.children ?? [];
  const named = (name: string) => all.filter((one) => one.name === name);
  const loader = os === undefined ? undefined : childOf(os, "loader");
  const drives = named("disk").map((disk) => ({ disk, kind: disk.attributes.get("device") ?? "disk" }));
  return {
    name: childOf(domain, "name")?.text ?? null,
    memoryMib: memoryOf(childOf(domain, "memory")),
    ...memoryTargetOf(domain, named("memballoon")),
    ...maxMemoryOf(domain),
    vcpus: Number(/^\d{1,6}$/.exec(childOf(domain, "vcpu")?.text ?? "")?.[0] ?? 1),
    ...topologyOf(domain),
    bootOrder: bootOrderOf(os, all),
    uefi: os?.attributes.get("firmware") === "efi" || loader?.attributes.get("type") === "pflash",
    secureBoot: loader?.attributes.get("secure") === "yes",
    guestAgent: named("channel").some(
      (channel) => childOf(channel, "target")?.attributes.get("name") === "org.qemu.guest_agent.0",
    ),
    windows: isWindows(childOf(domain, "metadata")),
    tpm: named("tpm").length > 0,
    masks: [],
    disks: drives
      .flatMap(({ disk, kind }) => (kind === "disk" || kind === "lun" ? [diskOf(disk, scsiOf(all))] : []))
      .sort((a, b) => a.order - b.order)
      .map(({ order: _, ...disk }) => disk),
    nics: named("interface").map((nic, index) => ({
      label: nicLabel(index),
      network: networkOf(nic),
      mac: childOf(nic, "mac")?.attributes.get("address") ?? null,
      model: childOf(nic, "model")?.attributes.get("type") ?? null,
    })),
    cdroms: drives.flatMap(({ disk, kind }) => {
      const source = childOf(disk, "source")?.attributes;
      return kind === "cdrom"
        ? [{ label: targetOf(disk), medium: source?.get("file") ?? source?.get("dev") ?? null }]
        : [];
    }),
    notes: notesOf(domain),
    notCarried: notCarriedOf(domain, all),
  };
}

/** Cores of its dies and clusters are cores of their socket. */
function topologyOf(domain: XmlElement): Pick<ForeignVm, "topology"> {
  const cpu = childOf(domain, "cpu");
  const said = cpu === undefined ? undefined : childOf(cpu, "topology")?.attributes;
  if (said === undefined) return {};
  const count = (name: string) => Number(/^\d{1,4}$/.exec(said.get(name) ?? "")?.[0] ?? 1);
  const cores = count("dies") * count("clusters") * count("cores");
  return { topology: { sockets: count("sockets"), cores, threads: count("threads") } };
}

const nicLabel = (index: number): string => `interface ${String(index)}`;

/** What a boot element calls kinds of drives; a floppy drive is none that a VM has here. */
const kindsOf = new Map([
  ["disk", "hd"],
  ["lun", "hd"],
  ["cdrom", "cdrom"],
]);

/** Each device says its place, or the operating system's element names kinds of devices: the first of each is tried. */
function bootOrderOf(os: XmlElement | undefined, all: readonly XmlElement[]): string[] {
  let nics = 0;
  const devices = all.flatMap((element) => {
    const place = /^\d{1,6}$/.exec(childOf(element, "boot")?.attributes.get("order") ?? "")?.[0];
    if (element.name !== "disk" && element.name !== "interface") return [];
    const isNic = element.name === "interface";
    return {
      label: isNic ? nicLabel(nics++) : targetOf(element),
      kind: isNic ? "network" : (kindsOf.get(element.attributes.get("device") ?? "disk") ?? null),
      place: place === undefined ? null : Number(place),
    };
  });
  const placed = devices.flatMap(({ label, place }) => (place === null ? [] : { label, place }));
  if (placed.length > 0) return placed.sort((a, b) => a.place - b.place).map(({ label }) => label);
  const wanted = new Set(
    (os?.children ?? []).flatMap(({ name, attributes }) =>
      name === "boot" ? (attributes.get("dev") ?? []) : [],
    ),
  );
  const firsts = new Map(devices.toReversed().map(({ kind, label }) => [kind, label]));
  return [...wanted].flatMap((kind) => firsts.get(kind) ?? []);
}

/** A title, and a description. */
function notesOf(domain: XmlElement): string | null {
  const texts = ["title", "description"].flatMap((name) => childOf(domain, name)?.text ?? []);
  return texts.length === 0 ? null : texts.join("\n");
}

const unitBytes: Readonly<Record<string, number>> = {
  ...{ b: 1, bytes: 1, KB: 1000, k: 1024, KiB: 1024, MB: 1e6, M: 1048576, MiB: 1048576 },
  ...{ GB: 1e9, G: 2 ** 30, GiB: 2 ** 30, TB: 1e12, T: 2 ** 40, TiB: 2 ** 40 },
};

function memoryOf(memory: XmlElement | undefined): number | null {
  const bytes = unitBytes[memory?.attributes.get("unit") ?? "KiB"];
  if (memory === undefined || bytes === undefined || !/^\d{1,15}$/.test(memory.text)) return null;
  return Math.ceil((Number(memory.text) * bytes) / 1048576);
}

/** What it has of its memory by its balloon, which a domain has that does not say otherwise. */
function memoryTargetOf(
  domain: XmlElement,
  [balloon]: readonly XmlElement[],
): Pick<ForeignVm, "memoryTargetMib"> {
  const targetMib = memoryOf(childOf(domain, "currentMemory"));
  return targetMib === null || balloon?.attributes.get("model") === "none"
    ? {}
    : { memoryTargetMib: targetMib };
}

/** In the place of memory devices; those that the domain has count as its memory. */
function maxMemoryOf(domain: XmlElement): Pick<ForeignVm, "maxMemoryMib"> {
  const maxMemoryMib = memoryOf(childOf(domain, "maxMemory"));
  return maxMemoryMib === null ? {} : { maxMemoryMib };
}

const targetOf = (disk: XmlElement): string => childOf(disk, "target")?.attributes.get("dev") ?? "disk";

/** By the name that libosinfo gives the guest's operating system. */
const isWindows = (metadata: XmlElement | undefined): boolean =>
  (metadata?.children ?? []).some((one) =>
    one.children.some(({ attributes }) => attributes.get("id")?.includes("microsoft.com/win") === true),
  );

/** The SCSI controllers: their model, or only that they are SCSI. A domain seldom has several kinds. */
const scsiOf = (all: readonly XmlElement[]): string =>
  all
    .find(({ name, attributes }) => name === "controller" && attributes.get("type") === "scsi")
    ?.attributes.get("model") ?? "scsi";

/** @param scsi the model of its SCSI controllers */
function diskOf(disk: XmlElement, scsi: string): ForeignDisk & { order: number } {
  const source = childOf(disk, "source")?.attributes;
  const target = childOf(disk, "target")?.attributes;
  const driver = childOf(disk, "driver")?.attributes.get("type");
  const type = disk.attributes.get("type") ?? "file";
  const path =
    source?.get("file") ?? source?.get("dev") ?? source?.get("volume") ?? source?.get("name") ?? "";
  const name = baseName(path);
  const order = Number(childOf(disk, "boot")?.attributes.get("order") ?? Number.MAX_SAFE_INTEGER);
  return {
    label: targetOf(disk),
    controller: target?.get("bus") === "scsi" ? scsi : (target?.get("bus") ?? null),
    files: type === "file" || /\.\w+$/.test(name) ? [name] : [`${name}.raw`, `${name}.img`, `${name}.qcow2`],
    format: driver === undefined ? null : (formats[driver] ?? null),
    ...(childOf(disk, "encryption") === undefined ? {} : { unusable: "it is encrypted" }),
    order,
  };
}

function networkOf(nic: XmlElement): string | null {
  const source = childOf(nic, "source")?.attributes;
  const name =
    source?.get("portgroup") ?? source?.get("network") ?? source?.get("bridge") ?? source?.get("dev");
  const tag = childOf(nic, "vlan")
    ?.children.find((one) => one.name === "tag")
    ?.attributes.get("id");
  return name === undefined || tag === undefined ? (name ?? null) : `${name}.${tag}`;
}

/** What each VM of Godwit has in its own way, or what is no part of the machine. */
const expected = new Set([
  ...["emulator", "disk", "controller", "interface", "channel", "console", "serial", "rng", "input"],
  ...["graphics", "video", "memballoon", "audio", "tpm"],
]);

function notCarriedOf(domain: XmlElement, all: readonly XmlElement[]): NotCarried[] {
  const isMemory = ({ name, attributes }: XmlElement) =>
    name === "memory" && attributes.get("model") === "dimm";
  const kinds = new Set(all.filter((device) => !isMemory(device)).map(({ name }) => name));
  const others = [...kinds].filter((name) => !expected.has(name));
  const has = (name: string) => childOf(domain, name) !== undefined;
  const cpu = childOf(domain, "cpu")?.attributes.get("mode") ?? null;
  return [
    ...others.map((name) => ({ what: `device ${name}`, reason: noSuchDevice })),
    ...(all.some(({ name }) => name === "graphics" || name === "video")
      ? [{ what: "display", reason: "the console is the serial port: godwit vm console" }]
      : []),
    ...(cpu === null && !has("cpu")
      ? []
      : [
          {
            what: `cpu ${cpu ?? "model"}`,
            reason: "the guest's CPU follows its pool or its host: godwit vm set-cpu",
          },
        ]),
    ...(has("cputune") || has("numatune") || has("memoryBacking")
      ? [{ what: "cputune, numatune and memoryBacking", reason: "CPUs and memory of another host" }]
      : []),
    ...(domain.children.some(({ name }) => name === "qemu:commandline")
      ? [{ what: "qemu:commandline", reason: "arguments of QEMU's own are not taken over" }]
      : []),
    ...(has("metadata") ? [{ what: "metadata", reason: "a VM has none" }] : []),
  ];
}
