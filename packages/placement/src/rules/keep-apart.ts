/** VMs of a group are on different hosts, or in different racks: each VM beyond the first in a domain is a violation. */
import { GroupRule } from "./group-rule.ts";

export class KeepApart extends GroupRule {
  readonly name = "keep apart";

  protected entering(group: number, domain: number): number {
    return this.counts.count(group, domain) > 0 ? 1 : 0;
  }

  protected leaving(group: number, domain: number): number {
    return this.counts.count(group, domain) > 1 ? -1 : 0;
  }
}
