/** VMs of a group are spread over at least so many fault domains: each one that lacks is a violation. */
import { GroupRule, type GroupRuleOptions } from "./group-rule.ts";
import type { Grouping } from "./groups.ts";

export class FaultDomains extends GroupRule {
  readonly name = "fault domains";
  readonly #least: Int32Array;
  readonly #used: Int32Array;

  /** @param least domains, of each group */
  constructor(grouping: Grouping, least: Int32Array, options: GroupRuleOptions) {
    super(grouping, options);
    this.#least = least;
    this.#used = new Int32Array(grouping.groups.length);
  }

  protected override empty(group: number): number {
    return this.#least[group] as number;
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
    const lacks = (this.#used[group] as number) < (this.#least[group] as number);
    return this.counts.count(group, domain) === 0 && lacks ? -1 : 0;
  }

  protected leaving(group: number, domain: number): number {
    const needed = (this.#used[group] as number) <= (this.#least[group] as number);
    return this.counts.count(group, domain) === 1 && needed ? 1 : 0;
  }
}
