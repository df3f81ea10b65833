/**
 * What each VM is entitled to when all want more than there is. A tree of pools: the root has the cluster, each pool
 * divides what it gets among its children, pools and VMs, by
 *
 *   reservation   it gets at least that, if it wants it
 *   limit         it gets at most that
 *   shares        beyond the reservations, in this proportion
 *
 * Shares are a pool's own: ten VMs in it do not make it ten times as heavy, nor one a tenth. What one child does not want
 * goes to the others.
 */
export interface ShareNode {
  name: string;
  reservation?: number;
  limit?: number;
  shares: number;
  /** Of a VM: what it wants. */
  demand?: number;
  children?: readonly ShareNode[];
}

/** @returns what each leaf gets, by its name */
export function entitlements(root: ShareNode, capacity: number): Map<string, number> {
  const result = new Map<string, number>();
  divide(root, Math.min(capacity, wanted(root)), result);
  return result;
}

/** What a node could use: its limit bounds what its children want; a reservation is a promise, not a demand. */
function wanted(node: ShareNode): number {
  const own =
    node.children === undefined
      ? (node.demand ?? 0)
      : node.children.reduce((sum, one) => sum + wanted(one), 0);
  return Math.min(own, node.limit ?? Infinity);
}

function divide(node: ShareNode, amount: number, result: Map<string, number>): void {
  if (node.children === undefined) {
    result.set(node.name, amount);
    return;
  }
  const wants = node.children.map(wanted);
  const floors = node.children.map((child, index) =>
    Math.min(child.reservation ?? 0, wants[index] as number),
  );
  const promised = floors.reduce((sum, floor) => sum + floor, 0);
  // More is promised than there is: all promises shrink alike.
  const scale = promised > amount ? amount / promised : 1;
  const given = waterLevel(
    node.children,
    floors.map((floor) => floor * scale),
    wants,
    amount,
  );
  for (const [index, child] of node.children.entries()) divide(child, given[index] as number, result);
}

/** Each gets shares x level, but not below its floor nor above what it wants; the level is the one at which all is given. */
function waterLevel(
  children: readonly ShareNode[],
  floors: readonly number[],
  wants: readonly number[],
  amount: number,
): number[] {
  const at = (level: number) =>
    children.map(({ shares }, index) =>
      Math.min(wants[index] as number, Math.max(floors[index] as number, shares * level)),
    );
  const sum = (parts: readonly number[]) => parts.reduce((all, part) => all + part, 0);
  // The levels at which a child begins or ceases to take part; between two of them the sum is a line.
  const corners = children
    .flatMap(({ shares }, index) =>
      shares > 0 ? [(floors[index] as number) / shares, (wants[index] as number) / shares] : [],
    )
    .sort((a, b) => a - b);
  let low = 0;
  for (const corner of corners) {
    const above = sum(at(corner));
    if (above >= amount) {
      const below = sum(at(low));
      const part = above > below ? (amount - below) / (above - below) : 0;
      return at(low + Math.max(0, Math.min(1, part)) * (corner - low));
    }
    low = corner;
  }
  return at(low);
}
