/**
 * A VM's description as it is edited: the words of `vm create`'s file. What can be changed there is read back as changes of the VM;
 * of all else it is said which command changes it. Pure.
 */
import {
  balloonProblems,
  balloonSchema,
  basisOf,
  bootOrderProblems,
  bootOrderSchema,
  cdromDescriptionSchema,
  cpuAffinitySchema,
  cpuRequestSchema,
  cpuTopologySchema,
  mostCdroms,
  notesSchema,
  tagsSchema,
  hostDeviceDescriptionsSchema,
  hugepageSizeSchema,
  GodwitError,
  maxMemoryProblems,
  memoryGrowth,
  memoryMibSchema,
  memoryProblems,
  numaSchema,
  vcpusSchema,
  type CdromChange,
  type CdromDescription,
  type Vm,
  type VmBasis,
  type VmChanges,
} from "@godwit/contract";
import { cpuRequestProblems } from "@godwit/cpu";
import { stringify } from "yaml";
import { z } from "zod";
import { readYaml } from "../vm-file.ts";

export interface EditedVm {
  config: Vm;
  /** What changes at rest only cannot change now. */
  runs: boolean;
}

/** What is to be done, of a text that is right. */
export interface Edit {
  changes: VmChanges;
  basis: VmBasis;
}

/** Of fields that stand in the text to be read: how else they change. */
const elsewhere = (vm: string): Readonly<Record<string, string>> => ({
  name: "does not change",
  datastore: `is changed by godwit vm migrate ${vm} --datastore NAME`,
  machine: "does not change",
  firmware: "does not change",
  secureBoot: "does not change",
  guestAgent: "does not change",
  boot: "does not change",
  disks: `are changed by godwit vm disk add, remove and resize, and moved by godwit vm migrate ${vm} --datastore NAME`,
  nics: "are changed by godwit vm nic add, remove, connect and disconnect",
});

const editedSchema = z.strictObject({
  name: z.unknown().optional(),
  datastore: z.unknown().optional(),
  memoryMib: memoryMibSchema,
  maxMemoryMib: memoryMibSchema.optional(),
  vcpus: vcpusSchema,
  cpu: cpuRequestSchema.optional(),
  cpuAffinity: cpuAffinitySchema.optional(),
  hugepages: hugepageSizeSchema.optional(),
  numa: numaSchema.optional(),
  topology: cpuTopologySchema.optional(),
  bootOrder: bootOrderSchema.optional(),
  balloon: balloonSchema.optional(),
  hostDevices: hostDeviceDescriptionsSchema.optional(),
  tpm: z.boolean().optional(),
  tags: tagsSchema.optional(),
  notes: notesSchema.optional(),
  cdroms: z.array(cdromDescriptionSchema).max(mostCdroms).optional(),
  machine: z.unknown().optional(),
  firmware: z.unknown().optional(),
  secureBoot: z.unknown().optional(),
  guestAgent: z.unknown().optional(),
  boot: z.unknown().optional(),
  disks: z.unknown().optional(),
  nics: z.unknown().optional(),
});
type Edited = z.infer<typeof editedSchema>;

/** The fields that can be changed come first. */
export function documentOf({ config }: EditedVm): string {
  return stringify(fieldsOf(config), { lineWidth: 0 });
}

function fieldsOf(vm: Vm) {
  const { add = [], remove = [], ...wish } = vm.cpuWish ?? {};
  return defined({
    ...{ name: vm.name, datastore: vm.datastore, memoryMib: vm.memoryMib },
    ...{ maxMemoryMib: vm.maxMemoryMib, vcpus: vm.vcpus },
    cpu:
      vm.cpuWish === undefined
        ? undefined
        : defined({
            ...wish,
            add: add.length === 0 ? undefined : add,
            remove: remove.length === 0 ? undefined : remove,
          }),
    ...{
      topology: vm.topology,
      bootOrder: vm.bootOrder,
      balloon: vm.balloon,
      hugepages: vm.hugepages,
      numa: vm.numa,
      hostDevices: vm.hostDevices,
    },
    ...{ cpuAffinity: vm.cpuAffinity, tpm: vm.tpm, tags: vm.tags, notes: vm.notes },
    cdroms: vm.cdroms?.map((drive) => drivesAsDescribed(drive, vm.datastore)),
    machine: vm.machine,
    firmware: vm.firmware?.type,
    secureBoot: vm.firmware?.secureBoot,
    ...{ guestAgent: vm.guestAgent, boot: vm.boot },
    disks: vm.disks.map(({ name, datastore, path, format, bus }) =>
      defined({ name, datastore, path, format, bus }),
    ),
    nics: vm.nics.map(({ portGroup, mac, addresses, model, connected }) =>
      defined({ portGroup, mac, addresses, model, connected }),
    ),
  });
}

const drivesAsDescribed = (
  { name, medium, connected, bus }: NonNullable<Vm["cdroms"]>[number],
  ofVm: string,
): CdromDescription =>
  defined({
    name,
    iso: medium?.path,
    datastore: medium === null || medium.datastore === ofVm ? undefined : medium.datastore,
    connected: medium === null ? undefined : connected,
    bus,
  });

/** Without what is not there. */
const defined = <Fields extends object>(fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Fields;

type Raw = Readonly<Record<string, unknown>>;

/** @returns what is to be done; null: nothing; or every problem, with its line. */
export function readEdit(text: string, vm: EditedVm): { edit: Edit | null } | { problems: string[] } {
  const read = readYaml(text, editedSchema, (edited, raw) => [
    ...cpuRequestProblems(edited?.cpu).map(({ path, message }) => ({ path: ["cpu", ...path], message })),
    ...fixedProblems(raw, vm),
    ...(edited === null
      ? []
      : [
          ...driveProblems(edited, vm),
          ...memoryProblems(edited),
          ...maxMemoryProblems(edited),
          ...balloonProblems(edited),
          ...bootProblems(edited, vm),
        ]),
    ...runningProblems(raw, vm),
  ]);
  if (!read.ok) return { problems: read.problems };
  const changes = changesOf(read.data, vm.config);
  if (Object.keys(changes).length === 0) return { edit: null };
  const basis = basisOf(vm.config);
  return { edit: { changes, basis } };
}

/** What its text says of a VM that cannot be said otherwise. */
function fixedProblems(raw: Raw, { config }: EditedVm) {
  const before: Raw = fieldsOf(config);
  return Object.entries(elsewhere(config.name)).flatMap(([field, how]) =>
    same(raw[field], before[field]) ? [] : [{ path: [field], message: how }],
  );
}

function driveProblems({ cdroms = [] }: Edited, { config }: EditedVm) {
  const before = config.cdroms ?? [];
  const areSame =
    before.length === cdroms.length &&
    before.every(({ name, bus }, index) => {
      const drive = cdroms[index];
      return drive?.name === name && (drive.bus === "virtio-scsi") === (bus === "virtio-scsi");
    });
  if (!areSame)
    return [
      { path: ["cdroms"], message: "the drives themselves do not change; their ISO images and connected do" },
    ];
  return cdroms.flatMap(({ iso }, index) =>
    iso === undefined && before[index]?.medium != null
      ? [{ path: ["cdroms", index], message: "a drive keeps its last ISO image: write connected: false" }]
      : [],
  );
}

/** Its devices are changed by other commands. */
const bootProblems = ({ bootOrder }: Edited, { config }: EditedVm) =>
  bootOrderProblems({ ...config, bootOrder });

function runningProblems(
  { memoryMib, maxMemoryMib, vcpus, tpm = false, hugepages, numa, topology, bootOrder, balloon }: Raw,
  { config, runs }: EditedVm,
) {
  if (!runs) return [];
  const at = (field: string, differs: boolean) =>
    differs
      ? [{ path: [field], message: `changes only while the VM is stopped: godwit vm stop ${config.name}` }]
      : [];
  return [
    ...growthProblems(memoryMib, config),
    ...at("maxMemoryMib", maxMemoryMib !== config.maxMemoryMib),
    ...at("vcpus", vcpus !== config.vcpus),
    ...at("hugepages", hugepages !== config.hugepages),
    ...at("numa", !same(numa, config.numa)),
    ...at("bootOrder", !same(bootOrder, config.bootOrder)),
    ...at("balloon", (balloon === undefined) !== (config.balloon === undefined)),
    ...at("topology", !same(topology, config.topology)),
    ...at("tpm", tpm !== (config.tpm === true)),
  ];
}

/** Memory is added while it runs, up to its maximum. */
function growthProblems(wantedMib: unknown, { name: vm, ...config }: Vm) {
  const growth = typeof wantedMib === "number" ? memoryGrowth(config, wantedMib) : null;
  if (typeof wantedMib !== "number" || growth === null || "device" in growth) return [];
  const { memoryMib: nowMib, maxMemoryMib: maxMib = null } = config;
  const details = { vm, reason: growth.problem, nowMib, wantedMib, maxMib };
  return [{ path: ["memoryMib"], message: GodwitError.of("VM_MEMORY_FIXED", details).message }];
}

function changesOf(edited: Edited, vm: Vm): VmChanges {
  const now = basisOf(vm);
  const wanted = {
    ...{ memoryMib: edited.memoryMib, vcpus: edited.vcpus, tpm: edited.tpm ?? false },
    maxMemoryMib: edited.maxMemoryMib ?? null,
    cpuWish: edited.cpu ?? null,
    ...{ hugepages: edited.hugepages ?? null, numa: edited.numa ?? null },
    ...{ topology: edited.topology ?? null, bootOrder: edited.bootOrder ?? null },
    balloon: edited.balloon ?? null,
    hostDevices: edited.hostDevices ?? [],
    ...{ cpuAffinity: edited.cpuAffinity ?? null, notes: edited.notes ?? null },
  };
  const differs = (field: keyof typeof wanted) => !same(wanted[field], now[field]);
  const fields = Object.keys(wanted) as (keyof typeof wanted)[];
  const tags = tagChanges(vm.tags ?? [], edited.tags ?? []);
  const cdroms = (edited.cdroms ?? []).flatMap((drive) => driveChange(drive, vm) ?? []);
  return {
    ...Object.fromEntries(fields.filter(differs).map((field) => [field, wanted[field]])),
    ...(tags === null ? {} : { tags }),
    ...(cdroms.length === 0 ? {} : { cdroms }),
  };
}

function tagChanges(before: readonly string[], after: readonly string[]): VmChanges["tags"] | null {
  const add = after.filter((tag) => !before.includes(tag));
  const remove = before.filter((tag) => !after.includes(tag));
  return add.length + remove.length === 0 ? null : { add, remove };
}

function driveChange(drive: CdromDescription, vm: Vm): CdromChange | null {
  const { name, iso, datastore = vm.datastore, connected = iso !== undefined } = drive;
  const before = vm.cdroms?.find((one) => one.name === name);
  const medium = iso === undefined ? null : { datastore, path: iso };
  if (before === undefined || (same(medium, before.medium) && connected === before.connected)) return null;
  return { name, ...(medium === null ? {} : { medium }), connected };
}

/** In any order of keys. */
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a, sorted) === JSON.stringify(b, sorted);
const sorted = (_: string, value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;
