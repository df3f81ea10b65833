/** What becomes of another product's VM: a description as `vm create` takes it, and a report of what was changed or left out. Pure. */
import {
  balloonSchema,
  cpuTopologySchema,
  GodwitError,
  macSchema,
  memoryMibSchema,
  mostCdroms,
  mostNotesCharacters,
  mostTags,
  notesOf,
  storedAnnotations,
  storedBus,
  storedModel,
  tagSchema,
  topologyText,
  vcpusOf,
  vmDescriptionSchema,
  type ImportReport,
  type VmDescriptionInput,
  type VmImportDraft,
  type VmImportOrder,
} from "@godwit/contract";
import { cpuRequestProblems } from "@godwit/cpu";
import { busOf, modelOf, type Choice } from "./device-choice.ts";
import type { ForeignNic, ForeignVm } from "./foreign-vm.ts";
import type { ResolvedDisk } from "./resolve-disks.ts";
import type { ReadSource } from "./source-files.ts";

type Lists = Pick<ImportReport, "carried" | "changed" | "notCarried">;

export interface DraftParts {
  source: ReadSource;
  disks: readonly ResolvedDisk[];
  order: VmImportOrder;
}

/** @throws IMPORT_UNREADABLE, IMPORT_NETWORK_UNMAPPED, VM_DESCRIPTION_INVALID */
export function draftOf({ source, disks, order }: DraftParts): VmImportDraft {
  const { vm } = source;
  const from = `${order.source.datastore}:${order.source.path}`;
  const unreadable = (reason: string) => GodwitError.of("IMPORT_UNREADABLE", { source: from, reason });
  const lists: Lists = { carried: [], changed: [], notCarried: [] };
  if (vm.memoryMib === null) throw unreadable("it does not say how much memory the VM has");
  const name = nameOf(vm, order, lists);
  if (name === null)
    throw unreadable("its name has no letter or digit that a VM's name can have; give one with --name");
  lists.carried.push(
    { what: "memory", value: `${String(vm.memoryMib)} MiB` },
    { what: "vCPUs", value: String(vm.vcpus) },
  );
  const cpus = { ...cpusOf(vm, lists), ...masksOf(vm, lists) };
  const own = disksOf(disks, vm, order, lists);
  const parsed = vmDescriptionSchema.safeParse({
    ...{ name, datastore: order.datastore, memoryMib: vm.memoryMib, vcpus: vm.vcpus },
    ...cpus,
    ...balloonOf(vm, lists),
    ...maximumOf(vm, lists),
    disks: own,
    nics: vm.nics.map((nic) => nicOf(nic, vm, order, from, lists)),
    ...cdromsOf(vm, lists),
    ...bootOrderOf(vm, new Map(disks.map(({ disk }, at) => [disk.label, own[at]?.name ?? ""])), lists),
    ...firmwareOf(vm, lists),
    ...tpmOf(vm, lists),
    guestAgent: vm.guestAgent,
    ...annotationsOf(vm, lists),
  } satisfies VmDescriptionInput);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      ({ path, message }) => `${path.map(String).join(".")}: ${message}`,
    );
    throw GodwitError.of("VM_DESCRIPTION_INVALID", { source: `that ${from} becomes`, problems });
  }
  if (vm.guestAgent) lists.carried.push({ what: "guest agent", value: "a port for QEMU's guest agent" });
  lists.notCarried.push(...packageOf(source), ...vm.notCarried);
  return {
    description: parsed.data,
    report: { format: source.format, source: order.source, ...bounded(lists) },
  };
}

function nameOf({ name }: ForeignVm, order: VmImportOrder, { carried, changed }: Lists): string | null {
  const becomes = order.name ?? plainName(name ?? "");
  if (becomes === null) return null;
  if (name === null || name === becomes) carried.push({ what: "name", value: becomes });
  else {
    const reason =
      order.name === undefined ? "names have lower-case letters, digits and hyphens" : "so it was asked";
    changed.push({ what: `name ${name} → ${becomes}`, reason });
  }
  return becomes;
}

/** Null: nothing of it is left. */
export function plainName(name: string): string | null {
  const plain = name
    .normalize("NFKD")
    .toLowerCase()
    .replace(/\p{M}/gu, "")
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");
  return plain === "" ? null : plain;
}

/** A guest that has all of its memory needs no balloon for that. */
function balloonOf(
  { memoryMib, memoryTargetMib }: ForeignVm,
  { carried, notCarried }: Lists,
): Pick<VmDescriptionInput, "balloon"> {
  if (memoryTargetMib === undefined) return {};
  if (memoryTargetMib === null) return { balloon: {} };
  if (memoryTargetMib >= (memoryMib ?? 0)) return {};
  const text = `${String(memoryTargetMib)} MiB`;
  const balloon = balloonSchema.safeParse({ targetMib: memoryTargetMib });
  if (!balloon.success) {
    const reason = `it ${balloon.error.issues[0]?.message ?? "is none"}: the VM has all of its memory`;
    notCarried.push({ what: `memory target ${text}`, reason });
    return {};
  }
  carried.push({ what: "memory target", value: text });
  return { balloon: balloon.data };
}

/** One that is no more than the VM's memory is none. */
function maximumOf(
  { memoryMib, maxMemoryMib }: ForeignVm,
  { carried, notCarried }: Lists,
): Pick<VmDescriptionInput, "maxMemoryMib"> {
  if (maxMemoryMib === undefined || maxMemoryMib <= (memoryMib ?? 0)) return {};
  const what = { what: "maximum of memory", value: `${String(maxMemoryMib)} MiB` };
  if (memoryMibSchema.safeParse(maxMemoryMib).success) {
    carried.push(what);
    return { maxMemoryMib };
  }
  const reason = "it is more than a VM can have: its memory does not grow while it runs";
  notCarried.push({ what: `${what.what} ${what.value}`, reason });
  return {};
}

/** What every VM has that says nothing of it stays unsaid. */
function cpusOf(
  { vcpus, topology }: ForeignVm,
  { carried, notCarried }: Lists,
): Pick<VmDescriptionInput, "topology"> {
  if (topology === undefined) return {};
  const text = topologyText(topology);
  if (vcpusOf(topology) !== vcpus || !cpuTopologySchema.safeParse(topology).success) {
    const reason = `it does not make ${String(vcpus)} vCPUs: they are cores of one socket`;
    notCarried.push({ what: `CPU topology: ${text}`, reason });
    return {};
  }
  carried.push({ what: "CPU topology", value: text });
  return topology.cores === vcpus ? {} : { topology };
}

/** A mask that is none would make the VM one that cannot be started. */
function masksOf({ masks }: ForeignVm, { carried, notCarried }: Lists): { cpu?: VmDescriptionInput["cpu"] } {
  const kept: Record<string, string> = {};
  for (const [key, value] of masks) {
    const [problem] = cpuRequestProblems({ add: [], remove: [], masks: { ...kept, [key]: value } });
    if (problem === undefined && key.length <= 100 && value.length <= 100) {
      kept[key] = value;
      carried.push({ what: `CPU mask ${key}`, value });
    } else
      notCarried.push({ what: `CPU mask ${key} = ${value}`, reason: problem?.message ?? "it is too long" });
  }
  return Object.keys(kept).length === 0 ? {} : { cpu: { masks: kept } };
}

function disksOf(
  disks: readonly ResolvedDisk[],
  { windows }: ForeignVm,
  { source, datastore, format = "qcow2" }: VmImportOrder,
  lists: Lists,
): NonNullable<VmDescriptionInput["disks"]> {
  const { carried, changed } = lists;
  const names = new Set<string>();
  return disks.map(({ disk, file, format: imageFormat }, index) => {
    const plain = plainName(disk.label) ?? "disk";
    const name = names.has(plain) ? `${plain.slice(0, 58)}-${String(index)}` : plain;
    names.add(name);
    const isConverted = imageFormat !== format || file.part !== undefined;
    carried.push({ what: `disk ${disk.label}`, value: `disk ${name}, of ${file.path}` });
    if (isConverted && imageFormat !== format)
      changed.push({
        what: `disk ${disk.label}: ${imageFormat} → ${format}`,
        reason: "QEMU's guests run from qcow2 and raw images",
      });
    const what = `disk ${disk.label}`;
    const bus = chosen(busOf(disk.controller, windows), what, disk.controller, lists);
    return {
      ...{ name, image: file.path, format, ...storedBus(bus) },
      ...(source.datastore === datastore ? {} : { imageDatastore: source.datastore }),
      ...(isConverted ? { imageFormat } : {}),
      ...(file.part === undefined ? {} : { imagePart: file.part }),
      ...(file.checksum === undefined ? {} : { imageChecksum: file.checksum }),
    };
  });
}

/** Enters in the report what a device becomes. @param had what it was; null: that is not said */
function chosen<Kind>(
  { kind, name, reason }: Choice<Kind>,
  what: string,
  had: string | null,
  { carried, changed }: Lists,
): Kind {
  if (reason === null) {
    if (had !== null) carried.push({ what: `${what}: ${had}`, value: name });
  } else if (had !== null || !/^virtio/.test(name))
    changed.push({ what: `${what}: ${had ?? "not said what it is"} → ${name}`, reason });
  return kind;
}

/** @throws IMPORT_NETWORK_UNMAPPED */
function nicOf(
  { label, network, mac, model: had }: ForeignNic,
  { windows }: ForeignVm,
  { networks = {}, portGroup, newMacs }: VmImportOrder,
  source: string,
  lists: Lists,
): NonNullable<VmDescriptionInput["nics"]>[number] {
  const { carried, changed } = lists;
  const called = network ?? label;
  const to = Object.hasOwn(networks, called) ? networks[called] : portGroup;
  if (to === undefined)
    throw GodwitError.of("IMPORT_NETWORK_UNMAPPED", { source, nics: [label], network: called });
  carried.push({ what: `${label} in network ${called}`, value: `port group ${to}` });
  const model = storedModel(chosen(modelOf(had, windows), label, had, lists));
  const kept = macSchema.safeParse(mac?.toLowerCase().replaceAll("-", ":"));
  if (kept.success && newMacs !== true) {
    carried.push({ what: `MAC address of ${label}`, value: kept.data });
    return { portGroup: to, mac: kept.data, ...model };
  }
  const reason =
    newMacs === true
      ? "so it was asked"
      : mac === null
        ? "none is described"
        : "it is no unicast MAC address";
  changed.push({ what: `${label}: ${mac ?? "no MAC address"} → a new MAC address`, reason });
  return { portGroup: to, ...model };
}

function cdromsOf(
  { cdroms }: ForeignVm,
  { carried, notCarried }: Lists,
): { cdroms?: VmDescriptionInput["cdroms"] } {
  const kept = cdroms.slice(0, mostCdroms).map(({ label }, index) => {
    const name = `cd${String(index)}`;
    carried.push({ what: `CD-ROM drive ${label}`, value: `drive ${name}, empty` });
    return { name };
  });
  for (const { label, medium } of cdroms) {
    if (medium === null) continue;
    notCarried.push({
      what: `the medium in ${label}: ${medium}`,
      reason: "connect an ISO image of a datastore: godwit vm cdrom connect",
    });
  }
  for (const { label } of cdroms.slice(mostCdroms))
    notCarried.push({ what: `CD-ROM drive ${label}`, reason: `a VM has ${String(mostCdroms)} at most` });
  return kept.length === 0 ? {} : { cdroms: kept };
}

/** What every VM has that says nothing of it stays unsaid. @param disks the name of each, by its label */
function bootOrderOf(
  { bootOrder = [], cdroms, nics }: ForeignVm,
  disks: ReadonlyMap<string, string>,
  { carried }: Lists,
): Pick<VmDescriptionInput, "bootOrder"> {
  const drives = cdroms
    .slice(0, mostCdroms)
    .map(({ label }, at) => [label, `cdrom:cd${String(at)}`] as const);
  const devices = new Map([
    ...[...disks].map(([label, name]) => [label, `disk:${name}`] as const),
    ...drives,
    ...nics.map(({ label }, at) => [label, `nic:${String(at)}`] as const),
  ]);
  const order = [...new Set(bootOrder.flatMap((label) => devices.get(label) ?? []))];
  if (order.length === 0) return {};
  carried.push({ what: "boot order", value: order.join(", ") });
  const [first] = disks.values();
  const usual = [...(first === undefined ? [] : [`disk:${first}`]), ...drives.map(([, device]) => device)];
  return order.every((device, at) => device === usual[at]) ? {} : { bootOrder: order };
}

function firmwareOf(
  { uefi, secureBoot }: ForeignVm,
  { carried, changed }: Lists,
): Pick<VmDescriptionInput, "firmware" | "secureBoot"> {
  if (!uefi) return {};
  carried.push({ what: "firmware", value: secureBoot ? "UEFI with Secure Boot" : "UEFI" });
  changed.push({
    what: "UEFI variables → new ones",
    reason: "boot entries are not copied: the firmware boots \\EFI\\BOOT\\BOOTX64.EFI of the first disk",
  });
  return { firmware: "uefi", secureBoot };
}

function tpmOf({ tpm }: ForeignVm, { changed }: Lists): Pick<VmDescriptionInput, "tpm"> {
  if (!tpm) return {};
  changed.push({
    what: "TPM → a new TPM",
    reason:
      "the keys of the old one are not copied: what the guest has sealed with them, as BitLocker does, needs its recovery key",
  });
  return { tpm };
}

function annotationsOf(
  { notes, tags = [] }: ForeignVm,
  { carried, changed, notCarried }: Lists,
): Pick<VmDescriptionInput, "notes" | "tags"> {
  const kept = notes === null ? null : notesOf(notes);
  if (kept !== null) {
    const [line = ""] = kept.notes.split("\n");
    if (kept.isWhole) carried.push({ what: "notes", value: line });
    else
      changed.push({
        what: `notes: ${line}`,
        reason: `they are at most ${String(mostNotesCharacters)} characters, and printable text only`,
      });
  }
  const fit = [...new Set(tags)].filter((tag) => tagSchema.safeParse(tag).success).slice(0, mostTags);
  if (fit.length > 0) carried.push({ what: "tags", value: fit.join(", ") });
  const left = [...new Set(tags)].filter((tag) => !fit.includes(tag));
  if (left.length > 0)
    notCarried.push({ what: `tags: ${left.join(", ")}`, reason: "they are no tags of Godwit, or too many" });
  return storedAnnotations({ tags: fit, notes: kept?.notes });
}

const packageOf = ({ hasManifest }: ReadSource): Lists["notCarried"] =>
  hasManifest === false
    ? [{ what: "checksums", reason: "the package has no manifest, so that its images cannot be verified" }]
    : [];

/** What others wrote may be of any length and number. */
function bounded({ carried, changed, notCarried }: Lists): Lists {
  const short = (text: string) => (text.length > 300 ? `${text.slice(0, 299)}…` : text);
  const reasons = (list: Lists["changed"]) =>
    list.slice(0, 500).map(({ what, reason }) => ({ what: short(what), reason: short(reason) }));
  return {
    carried: carried.slice(0, 500).map(({ what, value }) => ({ what: short(what), value: short(value) })),
    changed: reasons(changed),
    notCarried: reasons(notCarried),
  };
}
