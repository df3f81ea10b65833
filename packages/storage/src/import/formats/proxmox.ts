/** Proxmox VE's `/etc/pve/qemu-server/ID.conf`: lines `key: value`, up to the first `[section]`. Pure; any text is fine. */
import type { ImageFormat } from "@godwit/contract";
import {
  baseName,
  devices,
  ImportProblem,
  type ForeignCdrom,
  type ForeignDisk,
  type ForeignVm,
  type NotCarried,
} from "../foreign-vm.ts";

const mostLines = 20_000;
const diskKey = /^(?:virtio|scsi|sata|ide)\d+$/;

/** @throws ImportProblem */
export function readProxmox(text: string): ForeignVm {
  const { settings, sections, described } = settingsOf(text);
  const at = (key: string): string | undefined => settings.get(key);
  if (at("memory") === undefined && at("name") === undefined && at("cores") === undefined)
    throw new ImportProblem("it has none of the lines of a Proxmox VM's configuration");
  const drives = drivesOf(settings);
  const agent = at("agent") ?? "";
  const [sockets, cores] = [wholeNumber(at("sockets")), wholeNumber(at("cores"))];
  const made = (sockets ?? 1) * (cores ?? 1);
  return {
    name: at("name") ?? null,
    // Newer versions write current=2048.
    memoryMib: wholeNumber(optionsOf(at("memory") ?? "512").get("current") ?? first(at("memory") ?? "512")),
    ...memoryTargetOf(settings),
    vcpus: wholeNumber(at("vcpus")) ?? made,
    ...(sockets === null && cores === null
      ? {}
      : { topology: { sockets: sockets ?? 1, cores: cores ?? 1, threads: 1 } }),
    bootOrder: bootLabels(settings),
    uefi: at("bios") === "ovmf",
    secureBoot: optionsOf(at("efidisk0") ?? "").get("pre-enrolled-keys") === "1",
    guestAgent: first(agent) === "1" || optionsOf(agent).get("enabled") === "1",
    windows: /^w/.test(at("ostype") ?? ""),
    tpm: at("tpmstate0") !== undefined,
    masks: [],
    disks: drives.disks,
    nics: [...settings].flatMap(([key, value]) => (/^net\d+$/.test(key) ? [nicOf(key, value)] : [])),
    cdroms: drives.cdroms,
    notes: described.join("\n"),
    tags: (at("tags") ?? "").split(/[;,\s]+/).filter((tag) => tag !== ""),
    notCarried: notCarriedOf(settings, sections),
  };
}

/** 0: it has no balloon. Proxmox itself chooses between it and the VM's memory, unless its shares are 0. */
const isAutomatic = (settings: ReadonlyMap<string, string>): boolean =>
  (wholeNumber(settings.get("balloon")) ?? 0) > 0 && wholeNumber(settings.get("shares")) !== 0;

function memoryTargetOf(settings: ReadonlyMap<string, string>): Pick<ForeignVm, "memoryTargetMib"> {
  const targetMib = wholeNumber(settings.get("balloon")) ?? 0;
  if (targetMib === 0) return {};
  return { memoryTargetMib: isAutomatic(settings) ? null : targetMib };
}

interface Lines {
  settings: Map<string, string>;
  sections: string[];
  /** The lines of its description, which Proxmox writes as comments before the settings. */
  described: string[];
}

function settingsOf(text: string): Lines {
  const settings = new Map<string, string>();
  const described: string[] = [];
  const sections: string[] = [];
  const lines = text.split(/\r?\n/);
  if (lines.length > mostLines) throw new ImportProblem(`it has more than ${String(mostLines)} lines`);
  for (const line of lines) {
    if (sections.length === 0 && line.startsWith("#")) described.push(unescaped(line.slice(1)));
    const section = /^\[([^\]]*)\]/.exec(line)?.[1];
    if (section !== undefined) sections.push(section);
    const [, key, value] = /^([a-z][\w-]*):\s*(.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined && sections.length === 0) settings.set(key, value);
  }
  return { settings: new Map([...settings].sort(([a], [b]) => order(a, b))), sections, described };
}

/** Proxmox writes what is no plain character as `%3A`. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a person wrote it
  }
}

/** `scsi2` before `scsi10`. */
const order = (a: string, b: string): number => a.localeCompare(b, "en", { numeric: true });

const wholeNumber = (value: string | undefined): number | null =>
  value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : null;
const first = (value: string): string => value.split(",")[0] ?? "";

/** `a,b=1,c=2`: of those with a name. */
function optionsOf(value: string): Map<string, string> {
  return new Map(
    value.split(",").flatMap((part): [string, string][] => {
      const [, key, text] = /^([^=]+)=(.*)$/.exec(part) ?? [];
      return key === undefined || text === undefined ? [] : [[key, text]];
    }),
  );
}

const formats: Readonly<Record<string, ImageFormat>> = { raw: "raw", qcow2: "qcow2", vmdk: "vmdk" };

function drivesOf(settings: ReadonlyMap<string, string>): { disks: ForeignDisk[]; cdroms: ForeignCdrom[] } {
  const controller = settings.get("scsihw") ?? "lsi";
  const disks: ForeignDisk[] = [];
  const cdroms: ForeignCdrom[] = [];
  for (const [label, value] of settings) {
    if (!diskKey.test(label)) continue;
    const options = optionsOf(value);
    const volume = options.get("file") ?? first(value);
    if (options.get("media") === "cdrom") {
      cdroms.push({ label, medium: volume === "none" ? null : volume });
      continue;
    }
    const name = baseName(volume.replace(/^[^:/]*:/, ""));
    const hasSuffix = /\.(?:raw|qcow2|vmdk)$/.test(name);
    disks.push({
      label,
      controller: label.startsWith("scsi") ? controller : label.replace(/\d+$/, ""),
      // A volume of LVM, ZFS or Ceph is no file: whoever copied it has given it a format's name.
      files: hasSuffix ? [name] : ["raw", "img", "qcow2", "vmdk"].map((suffix) => `${name}.${suffix}`),
      format: formats[options.get("format") ?? ""] ?? null,
    });
  }
  const boots = bootOrder(settings);
  return { disks: disks.sort((a, b) => boots(a.label) - boots(b.label)), cdroms };
}

const bootLabels = (settings: ReadonlyMap<string, string>): string[] =>
  optionsOf(settings.get("boot") ?? "")
    .get("order")
    ?.split(";") ?? [];

/** `boot: order=scsi0;net0`, or `bootdisk: scsi0`; what is not named comes after. */
function bootOrder(settings: ReadonlyMap<string, string>): (label: string) => number {
  const named = bootLabels(settings);
  const all = named.length > 0 ? named : [settings.get("bootdisk") ?? ""];
  return (label) => (all.includes(label) ? all.indexOf(label) : all.length);
}

function nicOf(label: string, value: string): ForeignVm["nics"][number] {
  const options = optionsOf(value);
  const [model, mac] = [...options].find(([, text]) => /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) ?? [];
  const bridge = options.get("bridge");
  const tag = options.get("tag");
  return {
    label,
    network: bridge === undefined ? null : tag === undefined ? bridge : `${bridge}.${tag}`,
    mac: options.get("macaddr") ?? mac ?? null,
    model: options.get("model") ?? model ?? first(value),
  };
}

function notCarriedOf(settings: ReadonlyMap<string, string>, sections: readonly string[]): NotCarried[] {
  const named = (pattern: RegExp) => [...settings.keys()].filter((key) => pattern.test(key));
  const said = (key: string, reason: string): NotCarried[] => {
    const value = settings.get(key);
    return value === undefined ? [] : [{ what: `${key}: ${value}`, reason }];
  };
  return [
    ...devices("PCI devices of the host", named(/^hostpci\d+$/)),
    ...devices("USB devices", named(/^usb\d+$/)),
    ...devices("serial ports", named(/^serial\d+$/), "each VM has one serial port, its console"),
    ...devices("sound", named(/^audio\d+$/)),
    ...devices("unused disks", named(/^unused\d+$/), "they are not attached to the VM"),
    ...devices(
      "cloud-init",
      named(/^(?:ci(?:user|password|custom|type)|ipconfig\d+|sshkeys|nameserver)$/),
      "give them at vm create: --ssh-key, --user-data",
    ),
    ...said("args", "arguments of QEMU's own are not taken over"),
    ...said("cpu", "the guest's CPU follows its pool or its host: godwit vm set-cpu"),
    ...(isAutomatic(settings)
      ? said(
          "balloon",
          "no memory target changes by itself: the VM has all of its memory, and a balloon: godwit vm set --memory-target",
        )
      : []),
    ...(/\bmemory\b/.test(settings.get("hotplug") ?? "")
      ? said("hotplug", "it names no maximum of memory: godwit vm set --max-memory")
      : []),
    ...said("affinity", "CPUs of another host: godwit vm set --cpu-affinity"),
    ...said("hugepages", "they are of a host: godwit vm set --hugepages"),
    ...said("startup", "an order of starts is not kept here"),
    ...devices(
      "snapshots",
      sections.filter((name) => name !== "PENDING"),
      "only the disks as they are now are imported",
    ),
    ...(sections.includes("PENDING")
      ? [{ what: "pending changes", reason: "Proxmox had not applied them yet" }]
      : []),
  ];
}
