/** QEMU's versioned machine types, which a VM keeps for its life. Pure. */

/** The newest of the kind that new VMs get, among those that all of these QEMUs know; null: there is none. */
export function newestMachine(qemus: readonly (readonly string[])[]): string | null {
  const [first = [], ...others] = qemus;
  const versions = first.flatMap((name) => {
    const match = /^pc-q35-(\d+)\.(\d+)$/.exec(name);
    const isCommon = others.every((machines) => machines.includes(name));
    return match === null || !isCommon ? [] : [{ name, rank: Number(match[1]) * 1000 + Number(match[2]) }];
  });
  return versions.sort((a, b) => b.rank - a.rank)[0]?.name ?? null;
}
