/** A VM's description from flags: the common case, without a file. What it does not cover stands in a file. Pure. */
import {
  GodwitError,
  isName,
  vmDescriptionSchema,
  type CpuTopology,
  type DiskBus,
  type ImageView,
  type NicModel,
  type VmDescription,
} from "@godwit/contract";

export interface VmFlags {
  datastore?: string;
  memory?: number;
  memoryTarget?: number | "all";
  maxMemory?: number;
  vcpus?: number;
  topology?: CpuTopology;
  bootOrder?: readonly string[];
  /** `PATH` on the VM's datastore, `DATASTORE:PATH`, or the name of an image of the library. */
  image?: string;
  /** What the library has under that name. */
  libraryImage?: LibraryImage;
  format?: "qcow2" | "raw";
  /** The disk reads from the image, and nothing of it is copied. */
  linked?: boolean;
  disk?: readonly number[];
  iso?: string;
  network?: readonly string[];
  guestAgent?: boolean;
  firmware?: "bios" | "uefi";
  secureBoot?: boolean;
  tpm?: boolean;
  /** Of all disks, and of all NICs. */
  diskBus?: DiskBus;
  nicModel?: NicModel;
  tag?: readonly string[];
  notes?: string;
}

export type LibraryImage = Pick<ImageView, "datastore" | "path" | "format">;

/** In its place, until the server has told which it is. */
export const anyLibraryImage: LibraryImage = { datastore: "any", path: "images/any", format: "qcow2" };

/** Whether it names an image of the library: files of a datastore have a suffix, or a folder. */
export const isLibraryName = (image: string): boolean => isName(image);

const defaultMemoryMib = 2048;

/** Whether any of them is given: then a name is created, and no file is read. */
export const describesVm = (flags: VmFlags): boolean =>
  Object.values(pick(flags)).some((value) => value !== undefined && value !== false);

/** @throws USAGE where a file is named beside flags; VM_DESCRIPTION_INVALID with every problem */
export function describeVm(name: string, given: VmFlags & { datastore: string }): VmDescription {
  const flags = pick(given);
  const parsed = vmDescriptionSchema.safeParse({
    name: nameOf(name),
    datastore: given.datastore,
    memoryMib: flags.memory ?? defaultMemoryMib,
    ...balloonOf(flags),
    maxMemoryMib: flags.maxMemory,
    vcpus: flags.vcpus,
    topology: flags.topology,
    bootOrder: flags.bootOrder,
    disks: disksOf(flags),
    nics: nicsOf(flags),
    ...(flags.iso === undefined ? {} : { cdroms: [{ name: "cd0", iso: flags.iso }] }),
    guestAgent: flags.guestAgent,
    firmware: flags.firmware,
    secureBoot: flags.secureBoot,
    ...(flags.tpm === true ? { tpm: true } : {}),
    ...(flags.tag === undefined ? {} : { tags: [...new Set(flags.tag)] }),
    notes: flags.notes,
  });
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${flagOf(path, flags)}: ${message}`);
  throw GodwitError.of("VM_DESCRIPTION_INVALID", { source: `of VM ${name}`, problems });
}

/** The only one, where there is only one. @throws USAGE */
export function onlyDatastore(names: readonly string[]): string {
  const [only, ...others] = names;
  if (only === undefined)
    throw GodwitError.of("USAGE", {
      what: "There is no datastore that the VM could be created on.",
      hint: "Define one: godwit datastore add NAME --path FOLDER --init",
    });
  if (others.length === 0) return only;
  throw GodwitError.of("USAGE", {
    what: `There are several datastores (${names.join(", ")}), and none is named.`,
    hint: `Name the one that the VM's folder is to lie on: --datastore ${only}`,
  });
}

const pick = ({
  datastore,
  memory,
  vcpus,
  image,
  libraryImage,
  format,
  disk,
  iso,
  network,
  ...rest
}: VmFlags) => ({
  ...{ datastore, memory, vcpus, image, libraryImage, format, disk, iso, network },
  ...{ guestAgent: rest.guestAgent, firmware: rest.firmware, secureBoot: rest.secureBoot },
  ...{
    memoryTarget: rest.memoryTarget,
    maxMemory: rest.maxMemory,
    topology: rest.topology,
    bootOrder: rest.bootOrder,
    tpm: rest.tpm,
    diskBus: rest.diskBus,
    linked: rest.linked,
    nicModel: rest.nicModel,
  },
  ...{ tag: rest.tag, notes: rest.notes },
});

const balloonOf = ({ memoryTarget: target }: VmFlags) =>
  target === undefined ? {} : { balloon: target === "all" ? {} : { targetMib: target } };

function nameOf(name: string): string {
  if (isName(name) || !/[./]/.test(name)) return name;
  throw GodwitError.of("USAGE", {
    what: `"${name}" looks like a file, and the flags describe the VM already.`,
    hint: "Give the VM's name beside flags, or the file alone.",
  });
}

/** The first size is of the image's copy, where there is one. */
function disksOf({ image, libraryImage, format, linked, disk = [], diskBus }: VmFlags) {
  if (linked === true && libraryImage === undefined)
    throw GodwitError.of("USAGE", {
      what: "--linked needs --image with an image of the library.",
      hint: "Which there are: godwit image list. A file comes into it with: godwit image add DATASTORE:PATH",
    });
  if (image === undefined && disk.length === 0 && diskBus !== undefined)
    throw GodwitError.of("USAGE", { what: "--disk-bus needs a disk.", hint: "Add --disk or --image." });
  if (image === undefined && format !== undefined)
    throw GodwitError.of("USAGE", { what: "--format needs --image.", hint: "Name the image too." });
  const sizes = image !== undefined && disk.length === 0 ? [undefined] : disk;
  const bus = diskBus === undefined ? {} : { bus: diskBus };
  return sizes.map((sizeMib, index) =>
    index === 0
      ? {
          name: "root",
          ...(fromLibrary(libraryImage) ?? imageAt(image)),
          format,
          sizeMib,
          ...bus,
          ...(linked === true ? { linked } : {}),
        }
      : { name: `data-${String(index)}`, sizeMib, ...bus },
  );
}

function nicsOf({ network, nicModel }: VmFlags) {
  if (network === undefined && nicModel !== undefined)
    throw GodwitError.of("USAGE", { what: "--nic-model needs a NIC.", hint: "Add --network." });
  return network?.map((portGroup) => ({
    portGroup,
    ...(nicModel === undefined ? {} : { model: nicModel }),
  }));
}

/** The disk is of the format that was asked for, or qcow2: an image of another one is converted. */
function fromLibrary(image: LibraryImage | undefined) {
  if (image === undefined) return null;
  return { image: image.path, imageDatastore: image.datastore, imageFormat: image.format };
}

/** No colon is in a path of a datastore. */
function imageAt(image: string | undefined) {
  const [, imageDatastore, path] = /^([^:/]+):(.*)$/.exec(image ?? "") ?? [];
  return imageDatastore === undefined ? { image } : { image: path, imageDatastore };
}

/** The flag that a field of the description comes of. */
function flagOf(path: readonly PropertyKey[], { image }: VmFlags): string {
  const [field, index, part] = path.map(String);
  switch (field) {
    case "memoryMib":
      return "--memory";
    case "maxMemoryMib":
      return "--max-memory";
    case "balloon":
      return "--memory-target";
    case "nics":
      return "--network";
    case "cdroms":
      return "--iso";
    case "disks":
      return index === "0" && image !== undefined && part?.startsWith("image") === true
        ? "--image"
        : "--disk";
    case "tags":
      return "--tag";
    case "bootOrder":
      return "--boot-order";
    case "secureBoot":
      return "--secure-boot";
    default:
      return field === undefined || field === "name" ? "the name" : `--${field}`;
  }
}
