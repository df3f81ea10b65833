/**
 * Wherever a VM of one group is, a VM of another group is in the same domain: an application beside its database.
 * Each domain that has the first and not the second is a violation.
 */
import type { GroupTerm } from "../terms/term.ts";
import { GroupCounts, type Grouping } from "./groups.ts";

export class NeedsBeside implements GroupTerm {
  readonly name = "needs beside";
  readonly hard = true;
  readonly #counts: GroupCounts;
  readonly #needs: readonly (readonly number[])[];
  readonly #neededBy: number[][];
  #total = 0;

  /** @param needs of each group the groups that it needs; every VM is in one group at most */
  constructor(grouping: Grouping, needs: readonly (readonly number[])[]) {
    this.#counts = new GroupCounts(grouping);
    this.#needs = needs;
    this.#neededBy = needs.map(() => []);
    for (const [group, needed] of needs.entries()) for (const one of needed) this.#neededBy[one]?.push(group);
  }

  reset(hostOf: Int32Array): void {
    this.#counts.clear();
    for (const [group, members] of this.#counts.members.entries())
      for (const vm of members) {
        const domain = this.#counts.domainOf(hostOf[vm] as number);
        if (domain >= 0) this.#counts.add(group, domain, 1);
      }
    this.#total = 0;
    for (const [group, needed] of this.#needs.entries())
      for (let domain = 0; domain < this.#counts.domains; domain += 1)
        if (this.#counts.count(group, domain) > 0)
          for (const one of needed) if (this.#counts.count(one, domain) === 0) this.#total += 1;
  }

  concerns(vm: number): boolean {
    const [group] = this.#counts.groupsOf(vm);
    if (group === undefined) return false;
    return (this.#needs[group]?.length ?? 0) > 0 || (this.#neededBy[group]?.length ?? 0) > 0;
  }

  delta(vm: number, from: number, to: number): number {
    const [group] = this.#counts.groupsOf(vm);
    const source = this.#counts.domainOf(from);
    const target = this.#counts.domainOf(to);
    if (group === undefined || source === target) return 0;
    return this.#change(group, source, -1) + this.#change(group, target, 1);
  }

  apply(vm: number, from: number, to: number): void {
    const [group] = this.#counts.groupsOf(vm);
    const source = this.#counts.domainOf(from);
    const target = this.#counts.domainOf(to);
    if (group === undefined || source === target) return;
    this.#total += this.delta(vm, from, to);
    if (source >= 0) this.#counts.add(group, source, -1);
    if (target >= 0) this.#counts.add(group, target, 1);
  }

  total(): number {
    return this.#total;
  }

  /** Only the first VM that comes and the last that leaves change anything. */
  #change(group: number, domain: number, more: 1 | -1): number {
    if (domain < 0 || this.#counts.count(group, domain) !== (more === 1 ? 0 : 1)) return 0;
    let change = 0;
    for (const one of this.#needs[group] ?? [])
      if (one !== group && this.#counts.count(one, domain) === 0) change += more;
    for (const one of this.#neededBy[group] ?? [])
      if (one !== group && this.#counts.count(one, domain) > 0) change -= more;
    return change;
  }
}
