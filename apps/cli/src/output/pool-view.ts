/** A pool as lines for people. Pure. */
import { ruleText, type PoolRuleView, type PoolView } from "@godwit/contract";
import { evcModeNamed } from "@godwit/cpu";
import { admissionText, balanceText, consolidationText, guestResetText, healthText } from "./balance-view.ts";
import { formatTable } from "./format.ts";

export function poolText({
  name,
  baseline,
  hosts,
  restartsVms = false,
  health = "ask",
  admission,
  guestReset,
  consolidation,
  balance,
  pendingVms,
}: PoolView): string {
  return formatTable([
    ["name", name],
    ["evc mode", baseline === null ? "none" : `${baseline.mode}, ${evcModeNamed(baseline.mode).label}`],
    ...(baseline === null || baseline.microcode.length === 0
      ? []
      : [["microcode features", baseline.microcode.join(" ")]]),
    ["hosts", hosts.join(" ")],
    ...(balance === undefined ? [] : [["balance", balanceText(balance)]]),
    ["health", healthText(health)],
    ["restarts", restartsVms ? "VMs that died are started again" : "off"],
    ...(guestReset === undefined ? [] : [["hanging guests", guestResetText(guestReset)]]),
    ...(consolidation === undefined ? [] : [["power", consolidationText(consolidation)]]),
    ...(admission === undefined ? [] : [["admission", admissionText(admission)]]),
    ...(pendingVms.length === 0
      ? []
      : [["next power-on", `${pendingVms.join(" ")} run with another baseline until they are powered off`]]),
  ]);
}

export function rulesText(pool: string, rules: readonly PoolRuleView[]): string {
  if (rules.length === 0) return `Pool ${pool} has no rules.`;
  return formatTable([
    ["RULE", "ASKS", "STATE"],
    ...rules.map((rule) => [rule.name, ruleText(rule), rule.idle === null ? "counts" : `idle: ${rule.idle}`]),
  ]);
}
