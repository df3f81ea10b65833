/** VMs of a group are on one host, or in one rack: each domain beyond the first is a violation. */
import { GroupRule, type GroupRuleOptions } from "./group-rule.ts";
import type { Grouping } from "./groups.ts";

export class KeepTogether extends GroupRule {
  readonly name = "keep together";
  readonly #used: Int32Array;

  constructor(grouping: Grouping, options: GroupRuleOptions) {
    super(grouping, options);
    this.#used = new Int32Array(grouping.groups.length);
  }

  protected override cleared(): void {
    this.#used.fill(0);
  }

  protected override counted(group: number, domain: number, more: 1 | -1): void {
    const before = this.counts.count(group, domain);
    super.counted(group, domain, more);
    if (before === 0 && more === 1) this.#used[group] = (this.#used[group] as number) + 1;
    if (before === 1 && more === -1) this.#used[group] = (this.#used[group] as number) - 1;
  }

  protected entering(group: number, domain: number): number {
    return this.counts.count(group, domain) === 0 && (this.#used[group] as number) > 0 ? 1 : 0;
  }

  protected leaving(group: number, domain: number): number {
    return this.counts.count(group, domain) === 1 && (this.#used[group] as number) > 1 ? -1 : 0;
  }
}
