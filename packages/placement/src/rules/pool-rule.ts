/** A rule of a pool as it is kept: what it asks for, and the VMs and hosts that it names. */
import { finding, ruleText, type Finding, type PoolRuleTerms, type VmId } from "@godwit/contract";

export interface PoolRule {
  pool: string;
  name: string;
  terms: PoolRuleTerms;
  vms: readonly { id: VmId; name: string }[];
  hosts: readonly string[];
}

/** Rules of one kind, with their terms. */
export function* ofKind<Kind extends PoolRuleTerms["kind"]>(
  rules: readonly PoolRule[],
  kind: Kind,
): Iterable<{ rule: PoolRule; terms: Extract<PoolRuleTerms, { kind: Kind }> }> {
  for (const rule of rules)
    if (rule.terms.kind === kind) yield { rule, terms: rule.terms as Extract<PoolRuleTerms, { kind: Kind }> };
}

/** Which rack each host is in; a host without one is a fault domain of its own. */
export const racksOf = (rules: readonly PoolRule[]): Map<string, string> =>
  new Map(
    [...ofKind(rules, "rack")].flatMap(({ rule, terms }) => rule.hosts.map((host) => [host, terms.rack])),
  );

/** Why a rule does not count for a pool of these hosts and VMs; null: it counts. */
export function idleReason(
  { terms, vms, hosts }: PoolRule,
  hasHost: (name: string) => boolean,
  hasVm: (vm: PoolRule["vms"][number]) => boolean,
): string | null {
  const here = vms.filter(hasVm).length;
  const noHost = !hosts.some(hasHost);
  switch (terms.kind) {
    case "together":
    case "apart":
    case "spread":
      return here < 2 ? "fewer than two of its VMs are on hosts of the pool" : null;
    case "on":
    case "off":
      if (here === 0) return "none of its VMs is on a host of the pool";
      return noHost ? "none of its hosts is in the pool" : null;
    case "rack":
      return noHost ? "none of its hosts is in the pool" : null;
    case "maxVms":
      return hosts.length > 0 && noHost ? "none of its hosts is in the pool" : null;
    case "resourcePool":
      return null;
    case "cpu":
    case "restart":
    case "guestReset":
      return here === 0 ? "none of its VMs is on a host of the pool" : null;
  }
}

/** A rule that a VM would break on a host; a warning where it is forced. */
export function ruleFinding(rule: PoolRule, vm: string, host: string, isForced = false): Finding {
  const { pool, name, terms, vms, hosts } = rule;
  const asks = ruleText({ terms, vms: vms.map((one) => one.name), hosts });
  return finding("POOL_RULE_BROKEN", { vm, host, pool, rule: name, asks }, isForced ? "warning" : "error");
}
