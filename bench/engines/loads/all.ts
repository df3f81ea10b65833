/** The guests of the comparison: what each does, with how many vCPUs. */
import { compiler } from "./compiler.ts";
import type { GuestLoad } from "./load.ts";
import { redis } from "./redis.ts";
import { writer } from "./writer.ts";

const shares: readonly { name: string; compressiblePercent: number }[] = [
  { name: "", compressiblePercent: 0 },
  { name: "-mixed", compressiblePercent: 50 },
  { name: "-compressible", compressiblePercent: 90 },
];

const writers: readonly GuestLoad[] = [64, 256].flatMap((mib) =>
  [20, 200, 1000].flatMap((mibPerSecond) =>
    shares.map(({ name, compressiblePercent }) => ({
      name: `writer-${String(mib)}-${String(mibPerSecond)}${name}`,
      ...{ vcpus: 1, mib, work: writer({ mib, mibPerSecond, compressiblePercent }) },
    })),
  ),
);

/** As a database that writes its buffers out every two seconds. */
const flushing: GuestLoad = {
  ...{ name: "writer-64-200-flushing", vcpus: 1, mib: 64 },
  work: writer({
    ...{ mib: 64, mibPerSecond: 200, compressiblePercent: 50 },
    bursts: { onMs: 500, offMs: 1500 },
  }),
};

export const allGuests: readonly GuestLoad[] = [
  { name: "idle", vcpus: 1, mib: 0, work: null },
  ...writers,
  flushing,
  // Redis takes about half as much again as its data.
  { name: "redis", vcpus: 1, mib: 128, work: redis(64) },
  { name: "compiler", vcpus: 1, mib: 64, work: compiler },
  { name: "idle-4cpu", vcpus: 4, mib: 0, work: null },
  {
    ...{ name: "writer-64-200-4cpu", vcpus: 4, mib: 64 },
    work: writer({ mib: 64, mibPerSecond: 200, compressiblePercent: 0, writers: 4 }),
  },
  { name: "compiler-4cpu", vcpus: 4, mib: 64, work: compiler },
];

export const quickGuests: readonly string[] = ["idle", "writer-64-20", "writer-64-200", "redis"];
