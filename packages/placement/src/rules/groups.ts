/**
 * Which VMs of each group are in which domain (a host, a rack), as counts that follow every move. Rules over groups
 * are made of it. A VM that is nowhere is in no domain.
 */
export interface Grouping {
  /** VMs of each group. */
  groups: readonly (readonly number[])[];
  /** Domain of each host. */
  domainOf: Int32Array;
  vms: number;
}

const none: readonly number[] = [];

export class GroupCounts {
  readonly domains: number;
  readonly groups: number;
  readonly members: readonly (readonly number[])[];
  readonly #domainOf: Int32Array;
  readonly #groupsOf: (readonly number[] | undefined)[];
  readonly #counts: Int32Array;

  constructor({ groups, domainOf, vms }: Grouping) {
    this.members = groups;
    this.groups = groups.length;
    this.#domainOf = domainOf;
    this.domains = domainOf.reduce((most, domain) => Math.max(most, domain + 1), 0);
    const groupsOf: (number[] | undefined)[] = Array.from({ length: vms });
    for (const [group, members] of groups.entries())
      for (const vm of members) (groupsOf[vm] ??= []).push(group);
    this.#groupsOf = groupsOf;
    this.#counts = new Int32Array(this.groups * this.domains);
  }

  groupsOf(vm: number): readonly number[] {
    return this.#groupsOf[vm] ?? none;
  }

  /** -1: nowhere. */
  domainOf(host: number): number {
    return this.#domainOf[host] ?? -1;
  }

  count(group: number, domain: number): number {
    return this.#counts[group * this.domains + domain] as number;
  }

  add(group: number, domain: number, more: number): void {
    const index = group * this.domains + domain;
    this.#counts[index] = (this.#counts[index] as number) + more;
  }

  clear(): void {
    this.#counts.fill(0);
  }
}
