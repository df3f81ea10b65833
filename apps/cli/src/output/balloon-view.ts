/** A VM's memory, what its guest is to have of it, and what it has, for people. Pure. */
import type { VmDetails } from "@godwit/contract";

const mib = 1024 * 1024;

/** @param runs whether it was powered on and has what was added since */
export function memoryText(
  {
    memoryMib,
    maxMemoryMib,
    memoryDevices = [],
    hugepages,
  }: Pick<VmDetails["config"], "memoryMib" | "maxMemoryMib" | "memoryDevices" | "hugepages">,
  runs: boolean,
): string {
  const addedMib = memoryDevices.reduce((all, device) => all + device.mib, 0);
  return [
    `${String(memoryMib)} MiB`,
    ...(hugepages === undefined ? [] : [`huge pages of ${hugepages}`]),
    ...(runs && addedMib > 0 ? [`${String(addedMib)} MiB of it added since it was started`] : []),
    ...(maxMemoryMib === undefined ? [] : [`at most ${String(maxMemoryMib)} MiB while it runs`]),
  ].join(", ");
}

/** Null: the VM has no balloon. @param guestMemoryBytes as its host last reported; null: not known, or it does not run */
export function memoryTargetText(
  { memoryMib, balloon }: Pick<VmDetails["config"], "memoryMib" | "balloon">,
  guestMemoryBytes: number | null,
): string | null {
  if (balloon === undefined) return null;
  const targetMib = balloon.targetMib ?? memoryMib;
  const target = balloon.targetMib === undefined ? "all of it" : `${String(targetMib)} MiB`;
  if (guestMemoryBytes === null) return target;
  const hasMib = Math.round(guestMemoryBytes / mib);
  const has = `${target}; the guest has ${String(hasMib)} MiB`;
  if (hasMib === targetMib) return has;
  if (hasMib < targetMib) return `${has}, and has not taken all of it again`;
  return hasMib >= memoryMib
    ? `${has}: it has not given memory back, which takes a driver for virtio-balloon and memory that it does not need`
    : `${has}: it has not given all of it back`;
}
