/**
 * A VM's memory as QEMU's arguments. QEMU names each block of memory by its object in a migration stream, so that a VM has the same objects
 * wherever it runs; one without huge pages and NUMA nodes has the machine's own block, as before these were known. The largest is made first: when it looks
 * what has changed, QEMU from 9.0 on takes places in any block of an emulated guest's memory for places in its first one, and ends itself where that
 * is too short (`tlb_reset_dirty_range_all`, seen with 10.0.2).
 */
import { hasMemoryLayout, type Vm } from "@godwit/contract";
import { memorySize } from "./memory-devices.ts";

type Laid = Pick<
  Vm,
  "memoryMib" | "maxMemoryMib" | "memoryDevices" | "vcpus" | "hugepages" | "numa" | "topology"
>;

/** A dot is in no name that people choose. */
const memoryId = "guest.memory";

export function memoryArguments(vm: Laid): string[] {
  const size = ["-m", memorySize(vm)];
  if (vm.numa === undefined)
    return vm.hugepages === undefined ? size : [...size, ...backend(vm, memoryId, vm)];
  const nodes = vm.numa.map((node, index) => ({ ...node, index, id: `${memoryId}${String(index)}` }));
  let first = 0;
  return [
    ...size,
    ...nodes
      .toSorted((one, other) => other.memoryMib - one.memoryMib)
      .flatMap((node) => backend(vm, node.id, node)),
    ...nodes.flatMap(({ index, id, vcpus }) => {
      const last = first + vcpus - 1;
      const cpus = `${String(first)}-${String(last)}`;
      first = last + 1;
      return ["-numa", `node,nodeid=${String(index)},cpus=${cpus},memdev=${id}`];
    }),
  ];
}

/** Whether QEMU made the largest block of a guest's memory first. @param argv its arguments */
export function isLargestFirst(argv: readonly string[]): boolean {
  const sizes = argv.flatMap((word) => {
    const [, mib] = /^memory-backend-[^,]+,id=guest\.memory\d+,size=(\d+)M/.exec(word) ?? [];
    return mib === undefined ? [] : [Number(mib)];
  });
  return sizes.every((mib) => mib <= (sizes[0] ?? 0));
}

/** What the machine's own options say of it. */
export const memoryOfMachine = ({ hugepages, numa }: Laid): string =>
  hasMemoryLayout({ hugepages, numa }) && numa === undefined ? `,memory-backend=${memoryId}` : "";

/** Where nothing is said, nodes of the same size are sockets, so that no guest finds the caches of a socket in two nodes. */
export function topology({ vcpus, numa = [], topology: said }: Laid): string {
  if (said !== undefined) {
    const { sockets, cores, threads } = said;
    return `${String(vcpus)},sockets=${String(sockets)},cores=${String(cores)},threads=${String(threads)}`;
  }
  const areEqual = numa.every((node) => node.vcpus === numa[0]?.vcpus);
  const sockets = areEqual && numa.length > 0 ? numa.length : 1;
  return `${String(vcpus)},sockets=${String(sockets)},cores=${String(vcpus / sockets)},threads=1`;
}

/** Huge pages are all taken before the guest runs: a host that has too few must not end it later. */
function backend(
  { hugepages }: Laid,
  id: string,
  { memoryMib, hostNode }: { memoryMib: number; hostNode?: number | undefined },
): string[] {
  const pages = hugepages === undefined ? "" : `,hugetlb=on,hugetlbsize=${hugepages},prealloc=on`;
  const bound = hostNode === undefined ? "" : `,host-nodes=${String(hostNode)},policy=bind`;
  const kind = hugepages === undefined ? "memory-backend-ram" : "memory-backend-memfd";
  return ["-object", `${kind},id=${id},size=${String(memoryMib)}M${pages}${bound}`];
}
