/** `godwit vm set` */
import type { CpuAffinity, CpuTopology } from "@godwit/contract";
import { topologyText } from "@godwit/contract/cpu-topology";
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { parseMemory, parseMemoryTarget, parseTopology, parseVcpus } from "../../output/format.ts";
import { runTask } from "../../run-task.ts";
import { detachFlag, forceFlag, jsonFlag, vmArgument, wordsOf, type TaskFlags } from "../common.ts";

interface Flags extends TaskFlags {
  cpuAffinity?: { cpus: CpuAffinity | null };
  tpm?: "on" | "off";
  memory?: number;
  maxMemory?: number | "none";
  memoryTarget?: number | "all" | "none";
  vcpus?: number;
  topology?: CpuTopology | "none";
  bootOrder?: string[];
  hugepages?: "2M" | "1G" | "none";
  tag?: readonly string[];
  untag?: readonly string[];
  notes?: string;
  force: boolean;
}

export const setCommand = buildCommand({
  docs: {
    brief: "Change settings of a VM, at rest or while it runs",
    fullDescription: `With CPU affinity, a VM runs on the named logical CPUs of its host only, and cannot be moved while it runs.

A TPM is added and taken away while the VM is stopped. Its state is kept in the VM's folder: with --tpm on after --tpm off it is
the same TPM. Memory, vCPUs, CPU topology and huge pages, too, are changed while the VM is stopped; NUMA nodes are by godwit vm edit.

With --max-memory, which is set while the VM is stopped, memory is added while it runs: --memory with more than it has, in multiples of
128MiB, up to the maximum and up to 16 times until it is stopped. Its guest's system must take memory that is plugged in, as Linux and
Windows Server do. Less memory it has only when it was stopped, or by a memory target.

With --memory-target the guest gives memory back to its host, also while the VM runs, until it has so much; with a higher target, or all,
it takes memory again. Its system needs a driver for virtio-balloon, as Linux has. For that the VM has a balloon, which it gets with its
first target and loses with none, while it is stopped. The host still counts all of the VM's memory. godwit vm show shows what the guest has.

With --topology the guest sees its vCPUs as sockets, cores and threads. They are as many as the VM has vCPUs.

With --boot-order the VM boots from the first of the named devices that can be booted, and from no others. It is changed while the VM
is stopped; default is the first disk, and then CD-ROM drives. NICs are numbered as in godwit vm show.

Tags and notes are for people and programs: godwit vm list --tag finds VMs by them.

Examples:
  godwit vm set web-1 --tag production --tag team=web --untag test
  godwit vm set web-1 --notes "The shop's front end. Ask Ada before it is stopped."
  godwit vm set web-1 --cpu-affinity 2,3
  godwit vm set web-1 --cpu-affinity none
  godwit vm set web-1 --tpm on
  godwit vm set web-1 --memory 8GiB --vcpus 4
  godwit vm set web-1 --max-memory 32GiB
  godwit vm set web-1 --memory 16GiB
  godwit vm set web-1 --memory-target 2GiB
  godwit vm set web-1 --memory-target all
  godwit vm set web-1 --vcpus 8 --topology sockets=2,cores=4
  godwit vm set web-1 --boot-order cdrom:cd0,disk:root,nic:0
  godwit vm set web-1 --hugepages 2M`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      force: {
        ...forceFlag,
        brief: "Add memory also where the pool could then not bear the loss of a host",
      },
      cpuAffinity: {
        kind: "parsed",
        parse: (text: string) => ({ cpus: parseAffinity(text) }),
        placeholder: "CPUS|none",
        brief: "Logical CPUs of the host that the VM may use, like 0,2-3",
        optional: true,
      },
      tpm: {
        kind: "enum",
        values: wordsOf<"on" | "off">({ on: true, off: true }),
        brief: "Whether it has a TPM 2.0; the VM must be stopped",
        optional: true,
      },
      memory: {
        kind: "parsed",
        parse: parseMemory,
        brief: "Memory, like 4GiB; the VM must be stopped, or get more and have a maximum",
        optional: true,
      },
      maxMemory: {
        kind: "parsed",
        parse: (text: string) => (text === "none" ? text : parseMemory(text)),
        placeholder: "SIZE|none",
        brief: "What memory can be added up to while it runs; the VM must be stopped",
        optional: true,
      },
      memoryTarget: {
        kind: "parsed",
        parse: (text: string) => (text === "none" ? text : parseMemoryTarget(text)),
        placeholder: "SIZE|all|none",
        brief:
          "What its guest is to have of its memory, from 64MiB; the first target, and none: while the VM is stopped",
        optional: true,
      },
      vcpus: {
        kind: "parsed",
        parse: parseVcpus,
        brief: "Number of vCPUs; the VM must be stopped",
        optional: true,
      },
      topology: {
        kind: "parsed",
        parse: (text: string) => (text === "none" ? text : parseTopology(text)),
        placeholder: "sockets=N,cores=N,threads=N|none",
        brief: "What the guest sees its vCPUs as; the VM must be stopped",
        optional: true,
      },
      bootOrder: {
        kind: "parsed",
        parse: (text: string) => text.split(","),
        placeholder: "disk:NAME,cdrom:NAME,nic:N|default",
        brief: "What it boots from; the VM must be stopped",
        optional: true,
      },
      hugepages: {
        kind: "enum",
        values: wordsOf<"2M" | "1G" | "none">({ "2M": true, "1G": true, none: true }),
        brief: "Huge pages of its host that its memory is of; the VM must be stopped",
        optional: true,
      },
      tag: {
        kind: "parsed",
        parse: String,
        variadic: true,
        brief: "Tag to add; given again, a further one",
        optional: true,
      },
      untag: {
        kind: "parsed",
        parse: String,
        variadic: true,
        brief: "Tag to remove; given again, a further one",
        optional: true,
      },
      notes: {
        kind: "parsed",
        parse: String,
        placeholder: "TEXT",
        brief: 'Notes, in the place of those that it has; "" removes them',
        optional: true,
      },
    },
    positional: vmArgument,
  },
  async func(flags: Flags, vm: string) {
    const { tpm, memory, vcpus, tag, untag } = flags;
    const cpuAffinity = flags.cpuAffinity?.cpus;
    const notes = flags.notes === "" ? null : flags.notes;
    const hugepages = flags.hugepages === "none" ? null : flags.hugepages;
    const topology = flags.topology === "none" ? null : flags.topology;
    const bootOrder = flags.bootOrder?.join() === "default" ? null : flags.bootOrder;
    const balloon = balloonOf(flags.memoryTarget);
    const maxMemoryMib = flags.maxMemory === "none" ? null : flags.maxMemory;
    const machine = [tpm, memory, maxMemoryMib, vcpus, topology, bootOrder, hugepages, balloon];
    const given = [...machine, cpuAffinity, tag, untag, notes];
    if (given.every((value) => value === undefined))
      throw GodwitError.of("USAGE", {
        what: "Nothing is given that could be changed.",
        hint: "Like --memory 4GiB, --tag production, or --tpm on.",
      });
    const body = {
      ...(cpuAffinity === undefined ? {} : { cpuAffinity }),
      ...(tpm === undefined ? {} : { tpm: tpm === "on" }),
      ...(memory === undefined ? {} : { memoryMib: memory }),
      ...(maxMemoryMib === undefined ? {} : { maxMemoryMib }),
      ...(vcpus === undefined ? {} : { vcpus }),
      ...(topology === undefined ? {} : { topology }),
      ...(balloon === undefined ? {} : { balloon }),
      ...(bootOrder === undefined ? {} : { bootOrder }),
      ...(tag === undefined && untag === undefined
        ? {}
        : { tags: { add: unique(tag), remove: unique(untag) } }),
      ...(notes === undefined ? {} : { notes }),
      ...(hugepages === undefined ? {} : { hugepages }),
      ...(flags.force ? { force: true } : {}),
    };
    const done = [
      ...(cpuAffinity === undefined ? [] : [affinityText(vm, cpuAffinity)]),
      ...(tpm === undefined ? [] : [`VM ${vm} has ${tpm === "on" ? "a" : "no"} TPM.`]),
      ...(memory === undefined ? [] : [`VM ${vm} has ${String(memory)} MiB of memory.`]),
      ...(maxMemoryMib === undefined
        ? []
        : [
            maxMemoryMib === null
              ? `No memory is added to VM ${vm} while it runs.`
              : `Memory can be added to VM ${vm} while it runs, up to ${String(maxMemoryMib)} MiB.`,
          ]),
      ...(flags.memoryTarget === undefined ? [] : [targetText(vm, flags.memoryTarget)]),
      ...(vcpus === undefined ? [] : [`VM ${vm} has ${String(vcpus)} ${vcpus === 1 ? "vCPU" : "vCPUs"}.`]),
      ...(topology === undefined
        ? []
        : [
            `The guest of VM ${vm} sees ${topology === null ? "its vCPUs as cores of one socket, or of its NUMA nodes" : topologyText(topology)}.`,
          ]),
      ...(bootOrder === undefined
        ? []
        : [
            `VM ${vm} boots from ${bootOrder === null ? "its first disk, and then its CD-ROM drives" : bootOrder.join(", ")}.`,
          ]),
      ...(hugepages === undefined
        ? []
        : [
            `The memory of VM ${vm} is of ${hugepages === null ? "ordinary pages" : `huge pages of ${hugepages}`}.`,
          ]),
      ...(tag === undefined ? [] : [`VM ${vm} has ${tagsText(tag)}.`]),
      ...(untag === undefined ? [] : [`VM ${vm} does not have ${tagsText(untag)}.`]),
      ...(notes === undefined
        ? []
        : [`The notes of VM ${vm} are ${notes === null ? "removed" : "changed"}.`]),
    ];
    await withApi((api) => runTask(api, api.call("vmSet", { params: { vm }, body }), flags, done.join("\n")));
  },
});

const balloonOf = (target: Flags["memoryTarget"]) =>
  target === undefined || target === "none" ? target && null : target === "all" ? {} : { targetMib: target };

const targetText = (vm: string, target: NonNullable<Flags["memoryTarget"]>): string =>
  target === "none"
    ? `VM ${vm} has no balloon: its guest has all of its memory.`
    : `The guest of VM ${vm} is to have ${target === "all" ? "all" : `${String(target)} MiB`} of its memory; what it has: godwit vm show ${vm}`;

const unique = (tags: readonly string[] = []): string[] => [...new Set(tags)];
const tagsText = (tags: readonly string[]): string =>
  `${tags.length === 1 ? "tag" : "tags"} ${unique(tags).join(", ")}`;

const affinityText = (vm: string, cpus: CpuAffinity | null): string =>
  cpus === null
    ? `VM ${vm} may use all CPUs of its host.`
    : `VM ${vm} is bound to CPUs ${cpus.join(", ")} of its host.`;

/** The highest number that Linux gives a CPU. */
const mostCpu = 8191;

/** `0,2-3`, or null for `none`. */
export function parseAffinity(text: string): CpuAffinity | null {
  if (text === "none") return null;
  const cpus = text.split(",").flatMap((part) => {
    const [, first, last = first] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (first === undefined || to < from || to > mostCpu)
      throw new Error(`"${text}" is not a list of CPUs from 0 to ${String(mostCpu)}; write 0,2-3 or none.`);
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
  return [...new Set(cpus)];
}
