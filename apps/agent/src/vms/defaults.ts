/** What a VM gets when its description leaves it open, named explicitly and kept for its life. Pure. */

/** The newest versioned q35 machine type among those that QEMU offers. */
export function newestMachine(machines: readonly string[]): string {
  const versions = machines.flatMap((name) => {
    const match = /^pc-q35-(\d+)\.(\d+)$/.exec(name);
    return match === null ? [] : [{ name, rank: Number(match[1]) * 1000 + Number(match[2]) }];
  });
  const newest = versions.sort((a, b) => b.rank - a.rank)[0];
  if (newest === undefined) throw new TypeError("QEMU offers no versioned q35 machine");
  return newest.name;
}
