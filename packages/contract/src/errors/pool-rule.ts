/** Errors about rules of pools (making them, what would break them) and about rounds of their balancer. */
import { define } from "./define.ts";

export const poolRuleErrors = {
  POOL_RULE_UNKNOWN: define<{ pool: string; rule: string; known: string[] }>(
    404,
    "never",
    (d) => `Pool ${d.pool} has no rule ${d.rule}.`,
    (d) =>
      d.known.length === 0
        ? `Make one: godwit pool rule add ${d.pool} RULE`
        : `Rules of pool ${d.pool}: ${d.known.join(", ")}.`,
  ),
  POOL_RULE_EXISTS: define<{ pool: string; rule: string }>(
    409,
    "never",
    (d) => `Pool ${d.pool} already has a rule ${d.rule}.`,
    (d) =>
      `Choose another name, or change that rule with --replace. What it asks for: godwit pool rule list ${d.pool}`,
  ),
  POOL_RULES_TOO_MANY: define<{ pool: string; most: number }>(
    409,
    "after-fix",
    (d) => `Pool ${d.pool} has ${String(d.most)} rules, which is the most.`,
    (d) => `Remove those that are not needed: godwit pool rule list ${d.pool}`,
  ),
  POOL_RULE_REFUSED: define<{ pool: string; rule: string; reasons: string[] }>(
    409,
    "after-fix",
    (d) => `Rule ${d.rule} of pool ${d.pool} was not made: ${d.reasons.join(" ")}`,
    (d) =>
      `Change what the rule asks for, or remove a rule that it conflicts with: godwit pool rule list ${d.pool}`,
  ),
  /** `asks`: what the rule asks for, as a part of a sentence. */
  POOL_RULE_BROKEN: define<{ vm: string; host: string; pool: string; rule: string; asks: string }>(
    409,
    "after-fix",
    (d) => `VM ${d.vm} on host ${d.host} would break rule ${d.rule} of pool ${d.pool}: ${d.asks}.`,
    (d) =>
      `Choose another host, remove the rule (godwit pool rule remove ${d.pool} ${d.rule}), or use --force to break it.`,
  ),
  POOL_ROUND_UNKNOWN: define<{ pool: string; round: number | null }>(
    404,
    "never",
    (d) =>
      d.round === null
        ? `Pool ${d.pool} has not been planned by its balancer.`
        : `Pool ${d.pool} has no round ${String(d.round)}; the newest 120 are kept.`,
    (d) => `Rounds are made while its automation is not off: godwit pool set ${d.pool} --automation manual`,
  ),
  POOL_ROUND_PAST: define<{ pool: string; round: number; newest: number }>(
    409,
    "never",
    (d) => `Round ${String(d.round)} of pool ${d.pool} is past: round ${String(d.newest)} was planned since.`,
    (d) => `See what is recommended now: godwit pool recommendations ${d.pool}`,
  ),
  POOL_BALANCING: define<{ pool: string }>(
    409,
    "later",
    (d) => `Moves of pool ${d.pool} are being made already.`,
    (d) => `See how far they are: godwit pool recommendations ${d.pool}`,
  ),
  VM_NOT_IN_POOL: define<{ vm: string; host: string }>(
    409,
    "after-fix",
    (d) => `No host can be chosen for VM ${d.vm}: its host ${d.host} is in no pool.`,
    (d) => `Name a host: godwit vm migrate ${d.vm} --to HOST`,
  ),
  POOL_NO_HOST: define<{ vm: string; pool: string; reasons: string[] }>(
    409,
    "after-fix",
    (d) =>
      `No host of pool ${d.pool} can take VM ${d.vm}${d.reasons.length === 0 ? "" : `: ${d.reasons.join("; ")}`}.`,
    (d) => `See what stands against each host: godwit vm check ${d.vm}`,
  ),
} as const;
