/**
 * VMware's `.vmx` files: lines `key = "value"`. Keys are told apart without regard to case; `|22` in a value is the
 * character with that number. Pure; any text is fine.
 */
import { isMaskKey } from "@godwit/cpu";
import {
  baseName,
  devices,
  ImportProblem,
  topologyOf,
  type ForeignCdrom,
  type ForeignDisk,
  type ForeignNic,
  type ForeignVm,
  type NotCarried,
} from "../foreign-vm.ts";

type Settings = ReadonlyMap<string, { key: string; value: string }>;

const mostLines = 20_000;

/** @throws ImportProblem */
export function readVmx(text: string): ForeignVm {
  const settings = settingsOf(text);
  const at = (key: string): string | undefined => settings.get(key.toLowerCase())?.value;
  if (at("encryption.keySafe") !== undefined)
    throw new ImportProblem("the VM is encrypted, and its disks cannot be read: remove its encryption first");
  const memory = at("memsize");
  if (memory === undefined && at("config.version") === undefined && at("virtualHW.version") === undefined)
    throw new ImportProblem("it has none of the lines of a .vmx file");
  const drives = drivesOf(settings);
  return {
    name: at("displayName") ?? null,
    memoryMib: wholeNumber(memory) ?? 32, // VMware's own default
    vcpus: wholeNumber(at("numvcpus")) ?? 1,
    ...topologyOf(wholeNumber(at("numvcpus")) ?? 1, wholeNumber(at("cpuid.coresPerSocket"))),
    ...bootOrderOf(settings, drives),
    uefi: at("firmware")?.toLowerCase() === "efi",
    secureBoot: isTrue(at("uefi.secureBoot.enabled")),
    guestAgent: false,
    tpm: isTrue(at("vtpm.present")),
    windows: /^win/i.test(at("guestOS") ?? ""),
    masks: [...settings.values()].flatMap(({ key, value }): [string, string][] =>
      isMaskKey(key) ? [[key, value]] : [],
    ),
    disks: drives.disks,
    nics: nicsOf(settings),
    cdroms: drives.cdroms,
    notes: at("annotation") ?? null,
    notCarried: [...drives.notCarried, ...notCarriedOf(settings)],
  };
}

function settingsOf(text: string): Settings {
  const settings = new Map<string, { key: string; value: string }>();
  const lines = text.split(/\r?\n/);
  if (lines.length > mostLines) throw new ImportProblem(`it has more than ${String(mostLines)} lines`);
  for (const line of lines) {
    const [, key, quoted, plain] = /^\s*([\w.:-]+)\s*=\s*(?:"([^"]*)"|([^\s"#]*))/.exec(line) ?? [];
    if (key === undefined) continue;
    const value = (quoted ?? plain ?? "").replace(/\|([0-9A-Fa-f]{2})/g, (_, code: string) =>
      String.fromCharCode(Number.parseInt(code, 16)),
    );
    settings.set(key.toLowerCase(), { key, value });
  }
  return settings;
}

const isTrue = (value: string | undefined): boolean => value?.toLowerCase() === "true";
const wholeNumber = (value: string | undefined): number | null =>
  value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : null;

/** Controllers in the order in which VMware's BIOS tries them. */
const controllers = ["nvme", "scsi", "sata", "ide"];

function drivesOf(settings: Settings): {
  disks: ForeignDisk[];
  cdroms: ForeignCdrom[];
  notCarried: NotCarried[];
} {
  const at = (key: string) => settings.get(key.toLowerCase())?.value;
  const labels = [...settings.keys()]
    .flatMap((key) => /^((?:nvme|scsi|sata|ide)\d+:\d+)\.present$/.exec(key)?.[1] ?? [])
    .filter((label) => isTrue(at(`${label}.present`)))
    .sort((a, b) => rank(a) - rank(b));
  const disks: ForeignDisk[] = [];
  const cdroms: ForeignCdrom[] = [];
  const notCarried: NotCarried[] = [];
  for (const label of labels) {
    const type = (at(`${label}.deviceType`) ?? "disk").toLowerCase();
    const file = at(`${label}.fileName`) ?? "";
    if (/cdrom/.test(type)) {
      cdroms.push({ label, medium: type === "cdrom-image" && file !== "" ? file : null });
      continue;
    }
    const controller = label.replace(/:.*/, "");
    disks.push({
      label,
      controller: at(`${controller}.virtualDev`) ?? controller.replace(/\d+/, ""),
      files: [baseName(file)],
      format: "vmdk",
      ...(/passthru/.test(type) ? { unusable: "it is a device of its host and no image" } : {}),
    });
    notCarried.push(...diskSettings(label, at));
  }
  return { disks, cdroms, notCarried };
}

function diskSettings(label: string, at: (key: string) => string | undefined): NotCarried[] {
  const mode = at(`${label}.mode`)?.toLowerCase() ?? "persistent";
  const sharing = at(`${label}.sharing`)?.toLowerCase() ?? "sharingnone";
  return [
    ...(/nonpersistent|append|undoable/.test(mode)
      ? [{ what: `${label}: disk mode ${mode}`, reason: "what the guest writes is kept" }]
      : []),
    ...(sharing === "sharingnone" || sharing === "none"
      ? []
      : [{ what: `${label}: sharing with other VMs`, reason: "a disk is one VM's" }]),
  ];
}

/** `bios.bootOrder`: classes of devices and NICs; the BIOS tries the disks in an order of their own. */
function bootOrderOf(
  settings: Settings,
  { disks, cdroms }: { disks: readonly ForeignDisk[]; cdroms: readonly ForeignCdrom[] },
): Pick<ForeignVm, "bootOrder"> {
  const listed = (key: string) => (settings.get(key)?.value ?? "").toLowerCase().split(/[,\s]+/);
  const order = listed("bios.bootorder").filter((word) => word !== "");
  const labels = (devices: readonly { label: string }[]) => devices.map(({ label }) => label);
  const [own, drives] = [labels(disks), labels(cdroms)];
  const first = listed("bios.hddorder").filter((label) => own.includes(label));
  const found = order.flatMap((word) =>
    word === "hdd" ? [...first, ...own] : word === "cdrom" ? drives : [word],
  );
  return found.length === 0 ? {} : { bootOrder: [...new Set(found)] };
}

/** `scsi1:2`: by kind, controller and place. */
function rank(label: string): number {
  const [, kind = "", controller = "0", unit = "0"] = /^([a-z]+)(\d+):(\d+)$/.exec(label) ?? [];
  return controllers.indexOf(kind) * 1e8 + Number(controller) * 1e4 + Number(unit);
}

function nicsOf(settings: Settings): ForeignNic[] {
  const at = (key: string) => settings.get(key.toLowerCase())?.value;
  return numbered(settings, "ethernet").map((label) => ({
    label,
    network:
      at(`${label}.networkName`) ?? at(`${label}.dvs.portgroupId`) ?? at(`${label}.connectionType`) ?? null,
    mac: at(`${label}.address`) ?? at(`${label}.generatedAddress`) ?? null,
    model: at(`${label}.virtualDev`) ?? null,
  }));
}

/** Those of the devices of a kind that the VM has. */
const numbered = (settings: Settings, kind: string): string[] =>
  [...settings.values()]
    .flatMap(({ key, value }) => {
      const label = /^([a-z]+\d+)\.present$/i.exec(key)?.[1]?.toLowerCase();
      return label?.replace(/\d+$/, "") === kind.toLowerCase() && isTrue(value) ? [label] : [];
    })
    .sort((a, b) => Number(/\d+$/.exec(a)?.[0]) - Number(/\d+$/.exec(b)?.[0]));

function notCarriedOf(settings: Settings): NotCarried[] {
  const at = (key: string) => settings.get(key.toLowerCase())?.value;
  const has = (pattern: RegExp) => [...settings.keys()].some((key) => pattern.test(key));
  return [
    ...devices("PCI devices of the host", numbered(settings, "pciPassthru")),
    ...devices("floppy drives", numbered(settings, "floppy")),
    ...devices("serial ports", numbered(settings, "serial"), "each VM has one serial port, its console"),
    ...devices("parallel ports", numbered(settings, "parallel")),
    ...devices("sound", isTrue(at("sound.present")) ? ["sound"] : []),
    ...devices(
      "USB",
      has(/^(?:usb|ehci|usb_xhci)(?::\d+)?\.present$/) ? ["USB controllers and devices"] : [],
    ),
    ...(isTrue(at("vhv.enable"))
      ? [
          {
            what: "hardware virtualization in the guest",
            reason: "the guest sees what its CPU model or EVC mode has",
          },
        ]
      : []),
    ...(isTrue(at("mem.hotadd"))
      ? [
          {
            what: "memory hot plug",
            reason: "it names no maximum of memory: godwit vm set --max-memory",
          },
        ]
      : []),
    ...(wholeNumber(at("sched.mem.max")) === null
      ? []
      : [
          {
            what: `memory limit sched.mem.max = ${at("sched.mem.max") ?? ""}`,
            reason:
              "it is of another host; what a guest is to have of its memory: godwit vm set --memory-target",
          },
        ]),
    ...(has(/^sched\./)
      ? [{ what: "shares, reservations, limits and affinity (sched.*)", reason: "those of another host" }]
      : []),
    ...(has(/^sharedfolder\d/) ? devices("shared folders", ["sharedFolder*"]) : []),
    ...(has(/^guestinfo\./)
      ? [{ what: "guestinfo.*", reason: "it is read by VMware's tools in the guest" }]
      : []),
  ];
}
