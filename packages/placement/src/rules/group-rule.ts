/** A rule over groups of VMs, told by what a group costs when one VM comes to a domain and when one leaves it. */
import type { GroupTerm } from "../terms/term.ts";
import { GroupCounts, type Grouping } from "./groups.ts";

export interface GroupRuleOptions {
  hard: boolean;
  /** Of one violation; of a hard rule 1. */
  weight: number;
}

export abstract class GroupRule implements GroupTerm {
  abstract readonly name: string;
  readonly hard: boolean;
  protected readonly counts: GroupCounts;
  readonly #weight: number;
  #total = 0;

  constructor(grouping: Grouping, { hard, weight }: GroupRuleOptions) {
    this.counts = new GroupCounts(grouping);
    this.hard = hard;
    this.#weight = hard ? 1 : weight;
  }

  /** Violations that one VM of the group more in the domain adds. */
  protected abstract entering(group: number, domain: number): number;
  /** Violations that one VM of the group less in the domain adds. */
  protected abstract leaving(group: number, domain: number): number;
  /** Violations of a group without any VM anywhere. */
  protected empty(_group: number): number {
    return 0;
  }
  /** A VM is counted, or no longer. */
  protected counted(group: number, domain: number, more: 1 | -1): void {
    this.counts.add(group, domain, more);
  }

  reset(hostOf: Int32Array): void {
    this.counts.clear();
    this.cleared();
    this.#total = 0;
    for (let group = 0; group < this.counts.groups; group += 1) {
      this.#total += this.#weight * this.empty(group);
      for (const vm of this.counts.members[group] ?? [])
        this.#put(group, this.counts.domainOf(hostOf[vm] as number), 1);
    }
  }

  protected cleared(): void {}

  concerns(vm: number): boolean {
    return this.counts.groupsOf(vm).length > 0;
  }

  delta(vm: number, from: number, to: number): number {
    const groups = this.counts.groupsOf(vm);
    if (groups.length === 0) return 0;
    const source = this.counts.domainOf(from);
    const target = this.counts.domainOf(to);
    if (source === target) return 0;
    let delta = 0;
    for (const group of groups) {
      if (source >= 0) {
        delta += this.leaving(group, source);
        this.counted(group, source, -1);
      }
      if (target >= 0) delta += this.entering(group, target);
      if (source >= 0) this.counted(group, source, 1);
    }
    return delta * this.#weight;
  }

  apply(vm: number, from: number, to: number): void {
    const source = this.counts.domainOf(from);
    const target = this.counts.domainOf(to);
    if (source === target) return;
    for (const group of this.counts.groupsOf(vm)) {
      this.#put(group, source, -1);
      this.#put(group, target, 1);
    }
  }

  total(): number {
    return this.#total;
  }

  #put(group: number, domain: number, more: 1 | -1): void {
    if (domain < 0) return;
    const change = more === 1 ? this.entering(group, domain) : this.leaving(group, domain);
    this.#total += this.#weight * change;
    this.counted(group, domain, more);
  }
}
