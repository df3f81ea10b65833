/**
 * Which leaves and subleaves CPUID is asked for, so that none is missed: all leaves of each range, and of those that
 * have subleaves every subleaf, found as the vendors' manuals say. A CPU that never says "no more" is asked a
 * limited number of times.
 */
import type { CpuidLeaf } from "@godwit/cpu";

export type Ask = (leaf: number, subleaf: number) => Promise<CpuidLeaf>;

const most = { leaves: 256, subleaves: 64 } as const;

export async function enumerateLeaves(ask: Ask): Promise<CpuidLeaf[]> {
  const basic = await range(ask, 0, 0);
  const virtual = ((basic.find((one) => one.leaf === 1)?.ecx ?? 0) >>> 31) & 1;
  const hypervisors =
    virtual === 1
      ? [...(await hypervisorLeaves(ask, 0x40000000)), ...(await hypervisorLeaves(ask, 0x40000100))]
      : [];
  return [...basic, ...hypervisors, ...(await range(ask, 0x80000000, 0x80000000))];
}

/** @param floor what the highest leaf must be at least; below it, the range is not there */
async function range(ask: Ask, first: number, floor: number): Promise<CpuidLeaf[]> {
  const head = await ask(first, 0);
  if (head.eax < floor) return [head];
  const last = Math.min(head.eax, first + most.leaves - 1);
  const leaves = [head];
  for (let leaf = first + 1; leaf <= last; leaf += 1) {
    const answer = await ask(leaf, 0);
    leaves.push(answer, ...(await subleavesOf(ask, answer)));
  }
  return leaves;
}

/** A hypervisor's range; empty where its first leaf names none. An old KVM says 0 for its highest leaf. */
async function hypervisorLeaves(ask: Ask, first: number): Promise<CpuidLeaf[]> {
  const head = await ask(first, 0);
  if ((head.ebx | head.ecx | head.edx) === 0) return [];
  const last = head.eax === 0 ? first + 1 : Math.min(head.eax, first + 0xff);
  const leaves = [head];
  for (let leaf = first + 1; leaf <= last; leaf += 1) leaves.push(await ask(leaf, 0));
  return leaves;
}

/** All subleaves but 0 of a leaf of which subleaf 0 is given. */
async function subleavesOf(ask: Ask, first: CpuidLeaf): Promise<CpuidLeaf[]> {
  const numbered = async (numbers: readonly number[]): Promise<CpuidLeaf[]> => {
    const found: CpuidLeaf[] = [];
    for (const number of numbers.slice(0, most.subleaves)) found.push(await ask(first.leaf, number));
    return found;
  };
  const upTo = (last: number): Promise<CpuidLeaf[]> =>
    numbered(Array.from({ length: Math.min(last, most.subleaves) }, (_, index) => index + 1));
  const whileValid = async (from: number, valid: (answer: CpuidLeaf) => boolean): Promise<CpuidLeaf[]> => {
    const found: CpuidLeaf[] = [];
    for (let number = from; number < most.subleaves; number += 1) {
      const answer = await ask(first.leaf, number);
      if (!valid(answer)) break;
      found.push(answer);
    }
    return found;
  };
  switch (first.leaf) {
    case 4: // caches, until one of type 0
    case 0x8000001d:
      return (first.eax & 0x1f) === 0 ? [] : await whileValid(1, ({ eax }) => (eax & 0x1f) !== 0);
    case 0xb: // levels of topology, until one of type 0
    case 0x1f:
    case 0x80000026:
      return ((first.ecx >>> 8) & 0xff) === 0
        ? []
        : await whileValid(1, ({ ecx }) => ((ecx >>> 8) & 0xff) !== 0);
    case 0xd: {
      const second = await ask(0xd, 1);
      const low = bitsOf(first.eax | second.ecx);
      const high = bitsOf(first.edx | second.edx).map((bit) => bit + 32);
      return [second, ...(await numbered([...low, ...high].filter((bit) => bit > 1 && bit < 63)))];
    }
    case 0xf: // kinds of monitoring, one a bit
      return await numbered(bitsOf(first.edx).filter((bit) => bit > 0));
    case 0x10: // kinds of allocation, one a bit
    case 0x80000020:
      return await numbered(bitsOf(first.ebx).filter((bit) => bit > 0));
    case 0x12: // SGX: its attributes, then the sections of its memory
      return [...(await numbered([1])), ...(await whileValid(2, ({ eax }) => (eax & 0xf) !== 0))];
    case 0x23: // one a bit
      return await numbered(bitsOf(first.eax).filter((bit) => bit > 0));
    case 7: // EAX holds the highest subleaf
    case 0x14:
    case 0x17:
    case 0x18:
    case 0x1d:
    case 0x1e:
    case 0x20:
    case 0x24:
      return await upTo(first.eax);
    default:
      return [];
  }
}

const bitsOf = (word: number): number[] =>
  Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => ((word >>> bit) & 1) === 1);
